"""`grader bundle`: what an instructor uploads to a platform, or builds an image from.

    gradescope     a zip: setup.sh, run_autograder and the rest; or a folder with a Dockerfile
    prairielearn   a folder with a Dockerfile and the settings of the question
    autolab        a folder with a Dockerfile and the makefile of the assessment
    plain          a folder with a Dockerfile: /in → /out

All hold the suite, a recording of the reference's answers under a secret seed instead of the reference, and what says
which grader they were made with; those that install themselves hold the grader's package and the versions of what it
needs.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import tempfile
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import grader
from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders, copy_assignment
from grader.container.image import default_image
from grader.course.plan import COURSE
from grader.errors import GraderError, UsageError
from grader.platforms.answers import answers_in, write_answers
from grader.platforms.base import ANSWERS, ASSIGNMENTS, RECORDING, SETTINGS, SUBMISSION, TESTING, Outcome, Settings
from grader.platforms.budgets import budget
from grader.platforms.gradescope import content
from grader.platforms.policy import Policy
from grader.run.engine import Order, record_at

FILES = Path(__file__).parent / "files"
PACKAGE = Path(grader.__file__).resolve().parent
NAMES = ("gradescope", "prairielearn", "autolab", "plain")
INSTALLED = ("gradescope", "autolab")  # they bring the grader with them; the others stand on its image
SECONDS = {"gradescope": 540.0, "prairielearn": 570.0, "autolab": 540.0, "plain": 0.0}  # below the platforms' limits
LEAST_SECONDS = 60.0
NOT_STARTED = "The autograder could not be started: its set-up is broken."
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be bundled. `seconds` None: what suits the platform. `docker`: as a folder to build an image from.

    `with_reference`: the reference goes along as well, for trainings that are held against it. `policy`: of lateness.
    """

    platform: str
    seed: str
    training: str = "off"
    seconds: float | None = None
    wheelhouse: Path | None = None
    docker: bool = False
    with_reference: bool = False
    profile: str = TESTING
    answers: Path | None = None
    policy: Policy | None = None


def write(assignment: Assignment, folders: Folders, wanted: Wanted, out: Path) -> Settings:
    """Run the reference and make the bundle at `out`, which must not exist. Raises UsageError for what cannot be."""
    settings = settings_of(assignment, folders, wanted)
    if out.exists():
        raise UsageError(f"{out} exists already; remove it, or choose another --out")
    if wanted.wheelhouse is not None and not any(wanted.wheelhouse.glob("*.whl")):
        raise UsageError(f"--wheelhouse {wanted.wheelhouse} holds no wheels; fill it with `pip download`")
    answers = None if wanted.answers is None else answers_in(wanted.answers, assignment)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".bundle-", dir=out.parent) as folder:
            made = Path(folder) / "bundle"
            _fill(made / "source", folders, settings, wanted)
            if answers is not None:
                write_answers(answers, settings, made / "source" / ANSWERS)
            for path in sorted((FILES / wanted.platform).iterdir()):
                _fill_in(path, made / path.name, settings)
            if wanted.platform != "gradescope":
                made.rename(out)
            elif wanted.docker:
                (made / "run_autograder").rename(made / "source" / "run_autograder")
                made.rename(out)
            else:
                (made / "run_autograder").rename(made / "source" / "run_autograder")
                zip_folder(made / "source", made / "bundle.zip")
                (made / "bundle.zip").rename(out)
    except OSError as error:
        raise GraderError(f"{out}: the bundle cannot be written: {error.strerror}") from None
    return settings


def settings_of(assignment: Assignment, folders: Folders, wanted: Wanted) -> Settings:
    """What the bundle says about itself. Raises UsageError for a time that is too short or an unknown platform."""
    if wanted.platform not in NAMES:
        raise UsageError(f"--for {wanted.platform!r}: expected one of {', '.join(NAMES)}")
    if wanted.training not in ("off", "made"):
        raise UsageError(f"--training {wanted.training!r}: a bundle holds no data, so expected off or made")
    if wanted.profile not in (TESTING, SUBMISSION):
        raise UsageError(f"--profile {wanted.profile!r}: expected {TESTING} or {SUBMISSION}")
    if wanted.platform != "gradescope" and (wanted.answers is not None or wanted.profile != TESTING):
        raise UsageError("--answers and --profile are for Gradescope, which says which submission it hands over")
    seconds = SECONDS[wanted.platform] if wanted.seconds is None else wanted.seconds
    if seconds and seconds < LEAST_SECONDS:
        raise UsageError(f"--minutes: {seconds / 60:g} are too few, since starting alone takes half a minute")
    return Settings(
        platform=wanted.platform,
        slug=assignment.slug,
        seed=wanted.seed,
        seconds=seconds,
        memory_mib=budget(assignment, "made" if wanted.training == "made" else "off").memory_mib,
        training=wanted.training,
        grader=grader.__version__,
        suite=suite_digest(folders),
        profile=wanted.profile,
        lateness=wanted.policy.told if wanted.policy else "",
    )


def suite_digest(folders: Folders) -> str:
    """Of the suite and the reference, kept submissions and caches left out."""
    digest = hashlib.sha256()
    for folder in (folders.suite, folders.reference):
        for path in sorted(folder.rglob("*")):
            steps = path.relative_to(folder).parts
            if (
                path.is_file()
                and "__pycache__" not in steps
                and not (folder == folders.suite and "submissions" in steps)
            ):
                digest.update("/".join(steps).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def requirements(*, pinned: bool = True) -> list[str]:
    """The packages that the grader needs; pinned, in the versions that are here: the suite was proven with them."""
    try:
        declared = [line for line in metadata.requires("dl-grader") or [] if "extra ==" not in line]
    except metadata.PackageNotFoundError:
        raise UsageError(
            "the grader is not installed as a package; install it with pip, then make the bundle"
        ) from None
    if not pinned:
        return sorted(declared)
    names = sorted({_name(line) for line in declared})
    return [f"{name}=={metadata.version(name).partition('+')[0]}" for name in names]


def _name(requirement: str) -> str:
    end = next((at for at, sign in enumerate(requirement) if not (sign.isalnum() or sign in "-_.")), len(requirement))
    return requirement[:end]


def _fill(source: Path, folders: Folders, settings: Settings, wanted: Wanted) -> None:
    copy_assignment(folders, source / ASSIGNMENTS, reference=wanted.with_reference)
    if wanted.policy and wanted.policy.text:
        (source / ASSIGNMENTS / COURSE).write_text(wanted.policy.text, encoding="utf-8")
    record_at(source / RECORDING, Order(folders=folders, seed=settings.seed))
    (source / SETTINGS).write_text(settings.dump(), encoding="utf-8")
    if wanted.platform == "gradescope":
        nothing = content(Outcome(settings=settings, trouble=NOT_STARTED))
        (source / "not_started.json").write_text(json.dumps(nothing, indent=1) + "\n", encoding="utf-8")
    if wanted.platform not in INSTALLED:
        return
    shutil.copytree(PACKAGE, source / "package" / "grader", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(FILES / "setup.sh", source / "setup.sh")
    (source / "requirements.txt").write_text(
        "\n".join(requirements(pinned=wanted.wheelhouse is None)) + "\n", encoding="utf-8"
    )
    if wanted.wheelhouse is not None:
        (source / "wheelhouse").mkdir()
        for path in sorted(wanted.wheelhouse.glob("*.whl")):
            shutil.copyfile(path, source / "wheelhouse" / path.name)


def _fill_in(template: Path, target: Path, settings: Settings) -> None:
    text = template.read_text(encoding="utf-8").replace("@image@", default_image("cpu"))
    for name in ("slug", "suite", "grader", "platform"):
        text = text.replace(f"@{name}@", str(getattr(settings, name)))
    target.write_text(text, encoding="utf-8")


def zip_folder(folder: Path, target: Path) -> None:
    """Equal contents give equal bytes. The files lie at the root, as Gradescope asks."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _LONG_AGO)
            runs = path.suffix == ".sh" or path.name == "run_autograder"
            entry.external_attr = (stat.S_IFREG | (0o755 if runs else 0o644)) << 16
            entry.compress_type = zipfile.ZIP_STORED if path.suffix == ".whl" else zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(entry, "w") as packed:
                shutil.copyfileobj(source, packed, 1 << 20)
