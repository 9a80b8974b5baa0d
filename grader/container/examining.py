"""What a container here would protect: `grader doctor` inside the box that a run would be in."""

from __future__ import annotations

import json
from typing import Any

from grader.container.box import GRADER_MIB, JUDGE_MIB, Box, create_arguments
from grader.container.connecting import engine, explained, require_image, runtime_for
from grader.container.image import default_image
from grader.errors import GraderError
from grader.text import clean, one_line

DOCTOR_SECONDS = 300


def engine_in_words() -> str:
    """Which engine answers, with what runtimes and isolation, and whether the image is there; or why none does."""
    try:
        with engine() as client:
            about = client.info()
            options = [str(option).removeprefix("name=") for option in about.get("SecurityOptions") or []]
            words = f"{client.version().get('Version', 'unknown')}, runtimes {', '.join(sorted(about['Runtimes']))}"
            words += f", {', '.join(options) or 'no security options'}"
            try:
                require_image(client, default_image("cpu"), "cpu")
            except GraderError as error:
                return one_line(f"{words}; {error}", 400)
            return one_line(f"{words}; the image {default_image('cpu')} is ready: grader doctor --container", 400)
    except GraderError as error:
        return one_line(str(error), 300)


def examine(image: str) -> dict[str, Any]:
    """What `grader doctor --json` says inside. Raises UsageError without engine or image, GraderError when it fails."""
    name = image or default_image("cpu")
    with engine() as client:
        require_image(client, name, "cpu")
        box = Box(
            image=name,
            command=("-P", "-m", "grader.cli", "doctor", "--json"),
            reads={},
            writes={},
            memory_mib=GRADER_MIB + JUDGE_MIB + 512,
            jobs=1,
            processors=1,
            run="doctor",
            runtime=runtime_for(client, "cpu"),
        )
        with explained(name):
            container = client.containers.create(**create_arguments(box))
            try:
                container.start()
                container.wait(timeout=DOCTOR_SECONDS)
                text = container.logs(stdout=True, stderr=False).decode("utf-8", "replace")
                errors = container.logs(stdout=False, stderr=True).decode("utf-8", "replace")
            finally:
                container.remove(force=True, v=True)
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        raise GraderError(f"the container did not say what it can protect: {clean(errors or text, 1000)}") from None
    return found
