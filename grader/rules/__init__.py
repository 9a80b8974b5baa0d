"""Forbidden and demanded things, in three layers: source, structure and run.

`check_sources` reads the text of a submission, `check_trace` and `check_prints` judge what a traced run did; each
answers with the violations it has evidence for. `describe` says what a rule costs.
"""

from grader.rules.consequences import describe
from grader.rules.files import Place, SourceFile, source_file
from grader.rules.imports import imports_of
from grader.rules.runtime import check_prints, check_trace
from grader.rules.source import PrintSite, check_archive, check_sources, print_sites

__all__ = [
    "Place",
    "PrintSite",
    "SourceFile",
    "check_archive",
    "check_prints",
    "check_sources",
    "check_trace",
    "describe",
    "imports_of",
    "print_sites",
    "source_file",
]
