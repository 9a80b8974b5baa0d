"""The files of a submission → what a marker sees of them, all of it inert.

Everything here comes from a student and nothing of it is believed: text is escaped or rendered without HTML, links and
pictures; saved outputs are shown in a few forms, HTML as its text; a picture is a data address whose kind and size were
looked at, an SVG too, which browsers then neither let run nor fetch anything.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from mdit_py_plugins.dollarmath import dollarmath_plugin
from PIL import Image
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers.python import PythonLexer

from grader.assignment.assignment import Assignment, Item
from grader.errors import SubmissionError
from grader.marking import formulas, pdf
from grader.parsing import notebooks
from grader.text import clean, one_line
from grader.wording import plural

MAX_FILES, MAX_TEXT, MAX_CELL = 60, 150_000, 40_000
MAX_PIXELS, MAX_PICTURE, MAX_PICTURES = 30_000_000, 12 * 2**20, 24 * 2**20
_TEXTS = (".txt", ".md", ".markdown", ".tex", ".csv", ".json", ".yaml", ".yml", ".log", ".rst", "")
_PICTURES = (".png", ".jpg", ".jpeg", ".svg")
_LABEL = re.compile(r"(?P<label>\d+(?:\.\d+)*[a-z]?|\([a-z]\))[).:]*\s")
_WORD = re.compile(r"[a-z]{4,}")
_HEADING = re.compile(r"^#{1,6}\s+(.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a file: `html` is safe to insert. `anchor` is where a link may lead."""

    html: Markup
    kind: str = ""
    label: str = ""
    anchor: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Pieces below one heading; folded away where they do not concern the item. `about` is what the text says first."""

    title: str
    pieces: tuple[Piece, ...]
    about: str = ""
    open: bool = True


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One file. `facts` are sentences about it, `places` (title, words, anchor, whether it is meant) its sections."""

    name: str
    groups: tuple[Group, ...] = ()
    facts: tuple[str, ...] = ()
    places: tuple[tuple[str, int, str, bool], ...] = ()
    open: bool = True
    texts: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # (where, text), for claims


def files_of(root: Path, files: Mapping[str, str], assignment: Assignment, item: Item) -> list[Shown]:
    """The files below `root`, those that concern the item first and open."""
    wanted = _wanted(assignment, item)
    named = {path: file_id for file_id, path in files.items()}
    found = sorted((path for path in root.rglob("*") if path.is_file() and not path.is_symlink()), key=str)
    shown = [_for_item(_shown(path, path.relative_to(root).as_posix()), item) for path in found[:MAX_FILES]]
    about = {name for name, file_id in named.items() if file_id in wanted}
    about |= {entry.name for entry in shown if not all(group.open for group in entry.groups)}
    others = any(name.endswith(".ipynb") for name in about)  # then no other notebook is meant

    def rank(entry: Shown) -> tuple[bool, bool, str]:
        return entry.name not in about, not _is_writing(entry.name), entry.name

    def is_open(entry: Shown) -> bool:
        written = item.kind == "manual" and _is_writing(entry.name)
        return entry.name in about or (written and not (others and entry.name.endswith(".ipynb")))

    shown = [replace(entry, open=is_open(entry)) for entry in sorted(shown, key=rank)]
    if not any(entry.open for entry in shown):
        shown = [replace(entry, open=True) for entry in shown]
    rest = tuple(path.relative_to(root).as_posix() for path in found[MAX_FILES:])
    return [*shown, Shown(name=f"{len(rest)} more files", facts=tuple(map(_name, rest[:40])))] if rest else shown


def _wanted(assignment: Assignment, item: Item) -> set[str]:
    """The ids of the files that an item is about: its own; of a manual item none, unless it needs one."""
    parts = {part.id: part.file for part in assignment.parts}
    return {name for name in (item.needs.file, parts.get(item.part or "")) if name}


def _is_writing(name: str) -> bool:
    return not name.lower().endswith((".py", ".json", ".yaml", ".yml", ".csv", ".log"))


def _name(path: str) -> str:
    return one_line(path, 120)


def _for_item(shown: Shown, item: Item) -> Shown:
    """The groups that an item's title speaks of open, the others folded; all open where none is."""
    places = tuple((title, words, anchor, _concerns(item, title)) for title, words, anchor, _ in shown.places)
    shown = replace(shown, places=places)
    about = [_concerns(item, f"{group.title}\n{group.about}") for group in shown.groups]
    if not any(about):
        return shown
    groups = zip(shown.groups, about, strict=True)
    return replace(shown, groups=tuple(replace(group, open=is_about) for group, is_about in groups))


def _concerns(item: Item, heading: str) -> bool:
    """Whether a heading has the number with which the item's title begins, or most of its words."""
    found = _LABEL.match(f"{item.title} ")
    if found and re.search(rf"(?<![\w.]){re.escape(found['label'])}(?!\.?\w)", heading):
        return True
    words = set(_WORD.findall(item.title.lower()))
    return bool(words) and 2 * len(words & set(_WORD.findall(heading.lower()))) > len(words)


@functools.lru_cache(maxsize=16)
def _shown(path: Path, name: str) -> Shown:
    """A file, whatever it is; what cannot be shown is named with the reason."""
    suffix = path.suffix.lower()
    label = _name(name)
    try:
        if suffix == ".pdf":
            return _pdf(path, label)
        if suffix in _PICTURES:
            return Shown(name=label, groups=(Group(title="", pieces=(_picture_file(path),)),))
        if suffix == ".ipynb":
            return _notebook(path.read_text("utf-8", "replace"), label)
        if suffix == ".py" or suffix in _TEXTS:
            return _text(path, label)
    except (SubmissionError, OSError) as error:
        return Shown(name=label, facts=(one_line(str(error), 300),))
    except Exception as error:  # whatever somebody handed in, it holds up nobody's marking
        return Shown(name=label, facts=(f"It cannot be shown ({type(error).__name__}). Open the file itself.",))
    return Shown(name=label, facts=(f"It is not shown here ({path.stat().st_size:,} bytes).",))


def _text(path: Path, name: str) -> Shown:
    with path.open("rb") as stream:
        text = clean(stream.read(4 * MAX_TEXT).decode("utf-8", "replace"), MAX_TEXT)
    if path.suffix == ".py":
        piece = Piece(html=highlighted(text), kind="code")
    elif path.suffix in (".md", ".markdown"):
        piece = Piece(html=rendered(text), kind="prose")
    else:
        piece = Piece(html=preformatted(text))
    words = () if path.suffix == ".py" else (f"{len(text.split()):,} words",)
    return Shown(name=name, groups=(Group(title="", pieces=(piece,)),), facts=words, texts=((name, text),))


def _pdf(path: Path, name: str) -> Shown:
    document = pdf.read(path)
    if document.problem:
        return Shown(name=name, facts=(f"It cannot be shown: {document.problem}. Open the file itself.",))
    anchor = f"p{hash_of(name)}-"
    pieces = tuple(
        Piece(
            html=Markup('<img class="page" loading="lazy" alt="page {}" src="data:image/png;base64,{}">').format(
                number, page.picture
            ),
            anchor=f"{anchor}{number}",
        )
        for number, page in enumerate(document.pages, start=1)
    )
    shown = len(document.pages)
    facts = [f"{plural(document.count, 'page')}, {document.words:,} words"]
    facts += [f"only the first {shown} pages are shown"] if shown < document.count else []
    facts += [] if document.words else ["its text cannot be read: it may be scanned"]
    return Shown(
        name=name,
        groups=(Group(title="", pieces=pieces),),
        facts=tuple(facts),
        places=tuple((entry.title, entry.words, f"{anchor}{entry.page}", False) for entry in document.sections()[:60]),
        texts=tuple((f"{name}, page {number}", page.text) for number, page in enumerate(document.pages, start=1)),
    )


def hash_of(name: str) -> str:
    """A short name for anchors."""
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:6]


def _notebook(text: str, name: str) -> Shown:
    found, saved = notebooks.read(text, name), notebooks.saved(text, name)
    groups: list[tuple[str, str, list[Piece]]] = [("", "", [])]
    room = [MAX_PICTURES]
    for cell in found.cells:
        label = f"cell {cell.number}"
        if cell.kind == "markdown":
            source = clean(cell.source, MAX_CELL)
            if headings := _HEADING.findall(source):
                groups.append((one_line(" · ".join(headings), 160), source[:400], []))
            piece = Piece(html=rendered(source), kind="prose", label=label)
        else:
            count = "not run" if cell.execution_count is None else f"run as {cell.execution_count}"
            html = highlighted(clean(cell.source, MAX_CELL))
            piece = Piece(html=html, kind="code", label=f"{label}, {count}")
        groups[-1][2].extend([piece, *_outputs(saved.get(cell.number, ()), room)])
    facts = list(found.notes)
    if stale := notebooks.stale_outputs(found):
        facts.append(f"cell {stale[0].cell}: {stale[0].reason}")
    texts = [(f"{name}, cell {cell.number}", f"{cell.source if cell.kind == 'markdown' else ''}\n{cell.outputs}")
             for cell in found.cells]  # fmt: skip
    return Shown(
        name=name,
        groups=tuple(Group(title=title, about=about, pieces=tuple(own)) for title, about, own in groups if own),
        facts=tuple(one_line(fact, 300) for fact in facts),
        texts=tuple(texts),
    )


def _outputs(saved: Iterable[notebooks.Saved], room: list[int]) -> Iterator[Piece]:
    """What is saved below a cell; text that was written bit by bit is one."""
    texts: list[str] = []

    def flushed() -> Iterator[Piece]:
        if texts:
            yield Piece(html=preformatted(clean("".join(texts), MAX_CELL)), kind="output")
            texts.clear()

    for entry in saved:
        if entry.form.startswith("text/"):
            texts.append(entry.content if entry.content.endswith("\n") else f"{entry.content}\n")
            continue
        yield from flushed()
        room[0] -= len(entry.content)
        html = picture(entry.form, entry.content) if room[0] > 0 else _note("more pictures than are shown")
        yield Piece(html=html, kind="output")
    yield from flushed()


def _picture_file(path: Path) -> Piece:
    if path.stat().st_size > MAX_PICTURE:
        return Piece(html=_note(f"a picture of {path.stat().st_size:,} bytes is not shown"))
    content = path.read_bytes()
    if path.suffix.lower() == ".svg":
        return Piece(html=picture("image/svg+xml", content.decode("utf-8", "replace")))
    return Piece(html=picture("image/png", base64.b64encode(content).decode()))


def picture(form: str, content: str) -> Markup:
    """A saved picture as an `<img>` that holds it, or a note why it is not shown."""
    if len(content) > MAX_PICTURE * 4 // 3 + 4:
        return _note(f"a picture of {len(content) * 3 // 4:,} bytes is not shown")
    if form == "image/svg+xml":
        if re.search(r"<!ENTITY", content, re.IGNORECASE):
            return _note("a picture that defines entities is not shown")
        data = base64.b64encode(clean(content, MAX_PICTURE).encode()).decode()
        return _image("image/svg+xml", data)
    try:
        raw = base64.b64decode("".join(content.split()), validate=True)
    except ValueError:
        return _note("a damaged picture is not shown")
    return _raster(raw)


def _raster(raw: bytes) -> Markup:
    """A PNG or JPEG of at most MAX_PIXELS, whatever it was said to be."""
    try:
        with Image.open(io.BytesIO(raw), formats=("PNG", "JPEG")) as found:
            kind, (width, height) = found.format, found.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _note("a picture that is damaged or far too large is not shown")
    if width * height > MAX_PIXELS:
        return _note(f"a picture of {width:,} by {height:,} points is not shown")
    return _image(f"image/{str(kind).lower()}", base64.b64encode(raw).decode())


def _image(form: str, data: str) -> Markup:
    return Markup('<img class="saved" alt="a saved picture" src="data:{};base64,{}">').format(form, data)


def _note(text: str) -> Markup:
    return Markup('<p class="note">{}</p>').format(text)


def preformatted(text: str) -> Markup:
    """Text as it is."""
    return Markup("<pre>{}</pre>").format(escape(text))


def highlighted(source: str) -> Markup:
    """Python in colours, which the page's own style gives."""
    return Markup(highlight(source, PythonLexer(stripnl=False), HtmlFormatter(cssclass="source")))


def rendered(markdown: str) -> Markup:
    """Markdown as headings, lists, tables and emphasis; HTML, links and pictures stay the text that they are."""
    return Markup(_markdown().render(markdown))


@functools.cache
def _markdown() -> MarkdownIt:
    inert = ["image", "link", "autolink", "html_inline", "html_block", "reference"]
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(inert)

    def drawn(latex: str, options: Mapping[str, bool]) -> Markup:
        return formulas.drawn(latex, options["display_mode"])

    return markdown.use(dollarmath_plugin, renderer=drawn, allow_labels=False, allow_digits=False, double_inline=True)


@functools.cache
def colours() -> str:
    """The style of highlighted source, light and dark."""
    light, dark = (HtmlFormatter(style=name).get_style_defs(".source") for name in ("friendly", "github-dark"))
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}"


def claims(shown: Sequence[Shown], words: Iterable[str]) -> list[tuple[str, str]]:
    """(where, what) of figures that a submission's texts give for these words, such as `accuracy … 0.87`."""
    names = "|".join(re.escape(word.replace("_", " ")) for word in words)
    if not names:
        return []
    pattern = re.compile(rf"\b(?:{names})\b[^\n]{{0,40}}?(?:\d[.,]\d|\d\s?%)[^\n]{{0,40}}", re.IGNORECASE)

    def with_lead(text: str, match: re.Match[str]) -> str:
        return one_line(text[max(0, match.start() - 60) : match.start()].rpartition("\n")[2] + match[0], 160)

    found = (
        (where, with_lead(text, match))
        for entry in shown
        for where, text in entry.texts
        for match in pattern.finditer(text)
    )
    return list(dict.fromkeys(found))
