"""What a rule costs, in a sentence for students."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from grader.assignment.assignment import Consequence, Rule
from grader.wording import points_word

_SUBJECTS: Mapping[str, Callable[[Rule], str]] = {
    "imports": lambda rule: "An import that the template does not have",
    "forbidden": lambda rule: f"Using {_or(rule.names or rule.operations)}{_place(rule)}",
    "required": lambda rule: f"Not using {_or(rule.names or rule.operations)}{_place(rule)}",
    "prints": lambda rule: "An unasked print",
    "runs": lambda rule: "A file that Python cannot read",
    "signature": lambda rule: "A changed function or method signature",
    "file_name": lambda rule: "A file under another name",
    "unexpected_file": lambda rule: "A file that was not asked for",
}
_MOST = 3  # names that a sentence still lists; beyond that it gives the rule's title
_NOUNS = {"item": ("the item", "the items"), "question": ("question", "questions"), "group": ("the", "the")}


def describe(rule: Rule) -> str:
    """One sentence: what breaks the rule and what that costs.

    "An unasked print sets the programming part to 0."
    """
    subject = f"Breaking “{rule.title}”" if len(rule.names) > _MOST else _SUBJECTS[rule.kind](rule)
    return f"{subject} {_cost(rule.consequence)}."


def _cost(consequence: Consequence) -> str:
    amount = points_word(consequence.amount)
    whole = _target(consequence)
    if consequence.action == "deduct":
        scope = "" if consequence.scope == "everything" else f" of {whole}"
        return f"costs {amount}{scope}"
    if consequence.action == "cap":
        return f"limits {whole} to at most {amount}"
    if consequence.action == "zero":
        return f"sets {whole} to 0"
    return "is reported and costs no points by itself"


def _target(consequence: Consequence) -> str:
    if consequence.scope == "everything":
        return "the whole assignment"
    if not consequence.target:
        return {"item": "the items", "question": "the question", "group": "the part"}[consequence.scope] + " concerned"
    one, many = _NOUNS[consequence.scope]
    names = _and(consequence.target)
    ending = "" if consequence.scope != "group" else " part" if len(consequence.target) == 1 else " parts"
    return f"{one if len(consequence.target) == 1 else many} {names}{ending}"


def _place(rule: Rule) -> str:
    return f" in {_and(rule.within)}" if rule.within else ""


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _or(words: Sequence[str]) -> str:
    named = [f"anything else of {word.removesuffix('.*')}" if word.endswith(".*") else word for word in words]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} or {named[-1]}"
