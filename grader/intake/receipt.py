"""The receipt in the zip that a kit makes: digests of the files as they were checked at home.

A claim like everything in a hand-in: it earns nothing and costs nothing; where it differs, the report says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from grader.intake.fates import Ledger
from grader.intake.tree import Entry

NAME = "kit-receipt.json"
_BYTES = 1 << 16


def receipt_of(contents: Mapping[str, bytes]) -> str:
    """The receipt of files by name."""
    digests = {name: sha256(content).hexdigest() for name, content in contents.items()}
    return json.dumps({"checked with the kit (SHA-256)": digests}, indent=2, sort_keys=True) + "\n"


def without_receipt(entries: Sequence[Entry], ledger: Ledger) -> tuple[list[Entry], dict[str, str]]:
    """The entries but for a receipt, and the digests that it claims; none for one that cannot be read."""
    found = [entry for entry in entries if entry.path.rsplit("/", 1)[-1] == NAME and not entry.problem]
    claims: dict[str, str] = {}
    for entry in found:
        ledger.see_aside(entry, "it is the receipt of the course's kit, and says what was checked at home")
        try:
            with entry.open() as stream:
                [claimed] = json.loads(stream.read(_BYTES)).values()
            claims |= {str(name): str(digest) for name, digest in claimed.items()}
        except (OSError, ValueError, AttributeError, RecursionError):
            continue
    return [entry for entry in entries if entry not in found], claims


def differing(claims: Mapping[str, str], handed_in: Mapping[str, bytes]) -> str:
    """What is to be said of files that are not those that were checked; "" where they are, or nothing is claimed."""
    others = [name for name, content in handed_in.items() if claims.get(name, "") != sha256(content).hexdigest()]
    gone = [name for name in claims if name not in handed_in]
    if not claims or not (others or gone):
        return ""
    return (
        f"By its receipt the kit did not check what was handed in: {', '.join([*others, *gone][:6])} differ. What was "
        "handed in is what is graded; the receipt costs nothing"
    )
