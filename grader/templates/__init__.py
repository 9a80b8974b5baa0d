"""Reference → student template, and the proofs that the template gives nothing away.

`strip` (Python) and `strip_notebook` (percent format) turn one text into another; `prove` looks for what went wrong;
`templates_of`, `proofs_of`, `write` and `stale` do this for a whole assignment.
"""

from grader.templates.generate import data_of, proofs_of, stale, templates_of, write
from grader.templates.notebook import strip_notebook, template_notebook
from grader.templates.proofs import leaks, prove
from grader.templates.strip import strip

__all__ = [
    "data_of",
    "leaks",
    "proofs_of",
    "prove",
    "stale",
    "strip",
    "strip_notebook",
    "template_notebook",
    "templates_of",
    "write",
]
