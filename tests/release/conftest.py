import pytest
from class_examples import write_class


@pytest.fixture
def folder(tmp_path):
    return write_class(tmp_path / "graded")
