"""What MkDocs is told beyond mkdocs.yml: pages that lie above docs/, and blocks of code that are files."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent.parent
ABOVE = {"index.md": "README.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}


def on_files(files, config):
    """README becomes the first page; links into docs/ lead to the pages beside it."""
    for page, source in ABOVE.items():
        text = (ROOT / source).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, **_):
    """A block of code that names its file has it as its title."""
    return re.sub(r"^(```\w+) ([\w./]+)$", r'\1 title="\2"', markdown, flags=re.MULTILINE)
