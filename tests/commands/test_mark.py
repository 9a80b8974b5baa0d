"""`grader mark`: the command, and two people who mark twenty items at a real page."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from marking_examples import KEYS, REPORT, a_class
from test_cli import grader
from tiny_assignment import ROOT, lay_out_submission

from grader.model import Submission
from grader.results.journal import Journal

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a server is stopped by signals here")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def marking(folder: Path, who: str, *options: str, end: signal.Signals = signal.SIGINT) -> Iterator[str]:
    """The address of a page that is served as long as the block lasts."""
    command = [
        sys.executable,
        "-m",
        "grader.cli",
        "mark",
        str(folder),
        "--as",
        who,
        "--assignments",
        str(ROOT),
        *options,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        line = next((line for line in process.stdout if line.startswith("Mark at ")), "")
        assert line, "the page was not served"
        yield line.split()[2]
    finally:
        process.send_signal(end)
        rest = process.communicate(timeout=120)[0]
    assert (process.returncode, "Traceback" in rest) == (0 if end is signal.SIGINT else -end, False), rest


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--as", "Kim K"), "--as 'Kim K': expected a short name of a-z"),
        (("--as", "../kim"), "expected a short name"),
        (("--as", "kim", "--port", "70000"), "65535"),
        (("--as", "kim", "--submissions", "/nowhere"), "there is nothing at /nowhere"),
    ],
)
def test_wrong_calls_say_what_to_do(tmp_path, arguments, words):
    folder = a_class(tmp_path / "results", KEYS[:2])
    _, errors = grader("mark", folder, *arguments, code=2)
    assert words in errors
    assert not (folder / "marks").exists()


def test_what_is_no_results_folder_is_told(tmp_path):
    _, errors = grader("mark", tmp_path, "--as", "kim", code=2)
    assert "holds no journal" in errors


def test_a_folder_without_submissions_asks_for_them(tmp_path):
    folder = a_class(tmp_path / "results", KEYS[:2])
    shutil.rmtree(folder / "submissions")
    _, errors = grader("mark", folder, "--as", "kim", code=2)
    assert "keeps no submissions" in errors
    assert "--submissions PATH" in errors


def test_everything_that_is_marked_is_told(tmp_path):
    folder = a_class(tmp_path / "results", KEYS[:2], doubts=False)
    (folder / "marks").mkdir()
    for who, points in (("kim", "1"), ("ada", "0.5")):
        lines = [f"{key},essay,{points},{who}'s words" for key in KEYS[:2]]
        (folder / "marks" / f"{who}.csv").write_text("\n".join(["submission,item,points,comment", *lines]) + "\n")
    text, _ = grader("mark", folder, "--report")
    assert text.startswith("2 of 2 places are marked, 2 of them by two people.\n")
    assert "Of 2 places with two marks 2 differ, by 0.5 points on average over all of them." in text
    assert f"  {KEYS[0]}, essay (1): ada gives 0.5 (ada's words), kim gives 1 (kim's words)\n" in text
    _, errors = grader("mark", folder, "--as", "lee", "--take", "3", code=2)
    assert "nothing is left to be taken" in errors


@linux
def test_submissions_are_found_where_they_were_graded_from(tmp_path):
    folder, handed_in = tmp_path / "results", tmp_path / "class"
    shutil.copytree(ROOT.parent / "results_of_0_1", folder)
    shutil.rmtree(folder / "submissions")
    lay_out_submission(handed_in / "ada")
    with marking(folder, "kim", "--submissions", str(handed_in), end=signal.SIGTERM) as address:
        assert address.startswith("http://127.0.0.1:")


@linux
def test_the_attempt_that_counts_is_shown(tmp_path):
    folder = a_class(tmp_path / "results", KEYS[:1], report=False)
    root = folder / "submissions" / f"{KEYS[0]}~2"
    shutil.copytree(folder / "submissions" / KEYS[0], root)
    (root / "model.py").write_text("second = 'attempt'\n")
    with Journal(folder, "tiny") as journal:
        again = Submission(key=root.name, of=KEYS[0], attempt=2, root=root, digest="2", files={"model": "model.py"})
        journal.submission(again)
        journal.started(again.key)
        journal.finished(again.key, {}, 1.0)
    with marking(folder, "kim") as address:
        page = urllib.request.urlopen(address).read().decode()
    assert '<span class="n">second</span>' in page
    assert "Scores a sequence" not in page


def test_a_mark_of_nobody_is_told(tmp_path):
    folder = a_class(tmp_path / "results", KEYS[:2], report=False)
    (folder / "marks").mkdir()
    (folder / "marks" / "kim.csv").write_text("submission,item,points\nstudent-00,essay,1\n")
    _, errors = grader("mark", folder, "--report")
    assert "note: marks/kim.csv, line 2: there is no submission 'student-00'" in errors


def test_what_must_be_installed_is_told(tmp_path):
    folder = a_class(tmp_path / "results", KEYS[:1], report=False)
    code = (
        "import sys\nsys.modules['werkzeug.exceptions'] = None\nfrom grader.cli import main\n"
        f"sys.argv = ['grader', 'mark', {str(folder)!r}, '--as', 'kim', '--assignments', {str(ROOT)!r}]\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == "grader: `grader mark` needs werkzeug: pip install 'dl-grader[mark]'\n"


@linux
def test_eight_slices_of_one_class_do_not_overlap_and_go_on_where_they_were_left(tmp_path):
    folder = a_class(tmp_path / "results", report=False)
    for who in ("kim", "ada"):
        with marking(folder, who, "--take", "4", end=signal.SIGKILL):
            pass
    reserved = {who: {row["submission"] for row in rows(folder / "marks" / f"{who}.csv")} for who in ("kim", "ada")}
    assert [len(keys) for keys in reserved.values()] == [4, 4]
    with marking(folder, "kim", "--take", "4"):
        pass
    assert {row["submission"] for row in rows(folder / "marks" / "kim.csv")} == reserved["kim"]
    text, _ = grader("score", folder)
    assert "Traceback" not in text
    assert {row["awaiting"] for row in rows(folder / "summary.csv")} == {"2"}, "a reservation is no mark"


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; skipped with the reason where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


def mark_all(browser, address: str, points: dict[str, str], *, scripts: bool) -> list[str]:
    """Mark all that is left with the keyboard alone; the addresses that were asked for."""
    context = browser.new_context(java_script_enabled=scripts, viewport={"width": 1200, "height": 800})
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    known: set[str] = set()
    for _ in range(60):
        if page.locator("#points").count() == 0:
            break
        item = page.url.split("/")[4]
        page.wait_for_selector("#points:focus")
        before = page.url
        for key in points[item].split():
            page.keyboard.press(key)
        page.keyboard.press("Tab")
        page.keyboard.type("1" if item in known else "clear")
        known.add(item)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url, before=before: url != before)
    assert "Nothing is left for you" in page.content()
    context.close()
    return asked


@linux
def test_two_people_mark_twenty_items_with_the_keyboard(tmp_path, browser):
    """Ten essays and ten figures in doubt: all are marked, what is for two is compared, and the scores are made."""
    folder = a_class(tmp_path / "results", report=False)
    with marking(folder, "kim", "--take", "5") as kims, marking(folder, "ada", "--take", "6") as adas:
        asked = mark_all(browser, kims, {"scorer.forward": "2", "essay": "ArrowUp ArrowUp"}, scripts=True)
        asked += mark_all(browser, adas, {"scorer.forward": "1 . 5", "essay": "1"}, scripts=False)
    allowed = (kims, adas, "data:image/")
    assert all(url.startswith(allowed) for url in asked), "nothing but the pages themselves is asked for"
    kim, ada = ({(r["submission"], r["item"]): r for r in rows(folder / "marks" / f"{who}.csv") if r["points"]}
                for who in ("kim", "ada"))  # fmt: skip
    assert len({*kim, *ada}) == 20
    assert {(row["item"], row["points"]) for row in kim.values()} == {("scorer.forward", "2"), ("essay", "1")}
    assert {row["comment"] for row in (*kim.values(), *ada.values())} == {"clear"}
    twice = {key for key, item in kim.keys() & ada.keys() if item == "essay"}
    assert twice
    text, _ = grader("mark", folder, "--report")
    assert text.startswith(f"20 of 20 places are marked, {2 * len(twice)} of them by two people.")
    grader("score", folder)
    open_keys = {row["submission"] for row in rows(folder / "summary.csv") if row["awaiting"] == "1"}
    assert open_keys == twice
    said = {row["submission"] for row in rows(folder / "attention.csv") if row["what"].startswith("Marks differ")}
    assert said == twice


HOSTILE = """<script>document.title='run'</script><img src=x onerror="document.title='run'">
<img src="http://127.0.0.1:9/x.png"><a href="javascript:document.title='run'">x</a>
<svg onload="document.title='run'"/>"""


@linux
def test_nothing_of_a_hostile_submission_runs_in_a_browser(tmp_path, browser):
    from marking_examples import cell, notebook, output, text_cell

    folder = a_class(tmp_path / "results", KEYS[:1], doubts=False)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" onload="document.title=1"><image href="http://127.0.0.1:9/y"/>{HOSTILE}</svg>'
    cells = notebook(text_cell(HOSTILE), cell(HOSTILE, output(text_html=HOSTILE), output(image_svg=svg)))
    root = folder / "submissions" / KEYS[0]
    (root / "tiny.ipynb").write_text(cells)
    (root / "a.md").write_text(HOSTILE)
    (root / "report.pdf").write_bytes(
        REPORT.replace(b"/Type /Catalog", b"/Type /Catalog /OpenAction << /S /URI /URI (http://127.0.0.1:9/z) >>")
    )
    with marking(folder, "kim") as address:
        context = browser.new_context()
        page, asked, complaints = context.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert page.title() == "What did you learn? – 1 left"
        assert all(url.startswith((address, "data:image/")) for url in asked)
        assert complaints == [], "there is nothing that the page's policy would have to stop"
        context.close()
