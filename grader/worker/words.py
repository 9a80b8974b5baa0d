"""Exceptions whose own text says nothing to a student, in words: what it means and what to do."""

from __future__ import annotations

import re

_BY_KIND = {
    "BdbQuit": "a debugger was started here and nobody answers it while your code is graded; remove the breakpoint",
    "EOFError": "input was asked for, and nobody gives any while your code is graded; remove the question",
    "KeyError": "there is no entry of that name; print the names that are there",
    "StopIteration": "`next` was called on something that has no further element",
    "RecursionError": "a function calls itself without end",
    "TookTooLong": 'look for a loop that does not end, and for work that belongs below `if __name__ == "__main__"`',
}
_BY_TEXT = {
    "NoneType": "None stands where something else is needed: a function without `return`, a name that was never set, "
    "or a gradient that does not exist",
    "No module named": "a module that is not installed where your code is graded; do without it",
    "Read-only file system": "files can be written in the working directory only; use a relative name",
    "Permission denied": "only what was handed in can be read, and only the working directory be written",
    "setting an array element": "the rows of an array have different lengths",
}


_INTERNAL = re.compile(
    r"NoneType|KeyError: ['\"]|JSONDecodeError|Expecting (?:value|property name|',' delimiter)|object at 0x|<class '"
)


def is_unexplained(message: str) -> bool:
    """Whether a message for students names what only Python's insides know, and no words say what that means."""
    explained = any(words in message for words in (*_BY_KIND.values(), *_BY_TEXT.values()))
    return bool(_INTERNAL.search(message)) and not explained


def in_words(error: BaseException, text: str) -> str:
    """A half-sentence to be put behind the exception's own text; "" where that speaks for itself."""
    for kind in type(error).__mro__:
        if kind.__name__ in _BY_KIND:
            return _BY_KIND[kind.__name__]
    return next((words for part, words in _BY_TEXT.items() if part in text), "")
