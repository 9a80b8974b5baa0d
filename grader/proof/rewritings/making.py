"""The rewritings of an assignment: of the reference, and of what the kept correct submissions say otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from grader.assignment.assignment import Assignment
from grader.parsing.statements import parse_source
from grader.proof.changes.bases import REFERENCE, bases_of
from grader.proof.changes.kinds import REWRITING
from grader.proof.changes.making import Change, Operator, changes_in
from grader.proof.changes.source import Source
from grader.proof.rewritings.forms import forms_of
from grader.proof.rewritings.operators import OPERATORS, PLAIN
from grader.proof.rewritings.patterns import has_torch
from grader.templates.markers import BEGIN


def rewritings_of(assignment: Assignment, operators: Mapping[str, Operator] = OPERATORS) -> list[Change]:
    """All rewritings, those of the reference first; what a kept submission shares with it is rewritten once."""
    found: list[Change] = []
    seen: set[tuple[str, ...]] = set()
    own = {name for name, text in bases_of(assignment)[0].texts(assignment).items() if BEGIN in text}
    for base in bases_of(assignment):
        for name, text in base.texts(assignment).items():
            if (base.key == REFERENCE and name not in own) or not _is_readable(text):
                continue
            fitting = operators if has_torch(text) else {name: operators[name] for name in operators if name in PLAIN}
            for change in changes_in(Source(name, text), fitting, REWRITING, base.key):
                key = (change.file, change.scope, change.operator, change.before, change.after)
                if base.key == REFERENCE or key not in seen:
                    found.append(replace(change, text=_with_torch(change.text)))
                seen.add(key)
    return [*found, *forms_of(assignment, own)]


def _with_torch(text: str) -> str:
    """A file that imports only parts of torch gets torch itself, by which rewritings speak."""
    if re.search(r"^import torch\b(?!\.| as )", text, re.MULTILINE):
        return text
    return re.sub(r"^(from|import) torch\b", r"import torch\n\g<0>", text, count=1, flags=re.MULTILINE)


def _is_readable(text: str) -> bool:
    try:
        parse_source(text)
    except SyntaxError:
        return False
    return True
