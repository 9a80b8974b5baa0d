"""Fuzzes the readers of foreign bytes: `fuzz.py frames=1000000 archives=20000` prints what crashed and exits with 1.

Inputs are mutations of valid ones. With `--coverage NAME`, atheris looks for new paths instead, where it is installed.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Iterator

from targets import TARGETS, Target

SLOW = 5.0  # seconds that reading may take, on a machine that is busy with other things
WORDS = (
    b"\x00", b"\xff" * 8, b"{", b"}", b"[", b'"', b'"$f"', b'"$t"', b"NaN", b"1e999", b"-1", b"9" * 30, b"\\ud800",
    b"null", b"true", b"PK\x03\x04", b"PK\x01\x02", b"../", b"!!python/object:os.system", b"&a", b"*a", b"\n", b",",
    b"\t- ",
)  # fmt: skip


def mutated(seed: bytes, draw: random.Random, others: tuple[bytes, ...]) -> bytes:
    """A valid input, changed in a few places."""
    data = bytearray(seed)
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        at, kind = draw.randrange(len(data) + 1), draw.randrange(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = draw.randrange(256)
        elif kind == 2:
            data[at:at] = draw.choice(WORDS)
        elif kind == 3:
            del data[at : at + draw.randrange(1, 9)]
        elif kind == 4:
            length = draw.randrange(1, 17)
            data[at : at + length] = draw.choice(WORDS)
        elif kind == 5:
            other = draw.choice(others)
            begin = draw.randrange(len(other) or 1)
            data[at:at] = other[begin : begin + draw.randrange(64)]
        else:
            data[at:] = data[at:] * 2 if draw.random() < 0.2 else b""
    return bytes(data)


def crashes(target: Target, count: int, seed: int) -> Iterator[tuple[bytes, str]]:
    """Inputs that raise what they must not, or take too long, and how."""
    draw = random.Random(seed)
    for _ in range(count):
        data = mutated(draw.choice(target.seeds), draw, target.seeds)
        started = time.monotonic()
        try:
            target.read(data)
        except target.refusals:
            pass
        except Exception as error:
            yield data, f"{type(error).__name__}: {error}"
        if time.monotonic() - started > SLOW:
            yield data, f"took {time.monotonic() - started:.1f} s"


def by_coverage(name: str, arguments: list[str]) -> None:
    """Never returns: atheris ends the process."""
    import atheris

    target = TARGETS[name]

    def one(data: bytes) -> None:
        with contextlib.suppress(*target.refusals):
            target.read(data)

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """Each argument is NAME=COUNT."""
    if arguments[:1] == ["--coverage"]:
        by_coverage(arguments[1], arguments[2:])
    found = 0
    for argument in arguments:
        name, _, count = argument.partition("=")
        for data, how in crashes(TARGETS[name], int(count), random.SystemRandom().randrange(1 << 30)):
            found += 1
            sys.stdout.write(f"{name}: {how[:200]}\n  {data[:2000]!r}\n")
        sys.stdout.write(f"{name}: {count} inputs\n")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
