"""What a marker sees of a submission's files; whatever is in them, nothing runs and nothing is fetched."""

from __future__ import annotations

import base64
import io
import json
import re
import tempfile
import zlib
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from marking_examples import NOTEBOOK, REPORT, assignment, cell, notebook, output, pdf, png, text_cell
from PIL import Image

from grader.assignment.assignment import Item
from grader.marking import pdf as pdf_pages
from grader.marking import showing

ESSAY = assignment().item("essay")
ALLOWED = {
    "div", "span", "pre", "p", "img", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "code",
    "table", "thead", "tbody", "tr", "th", "td", "blockquote", "hr", "br", "math", "mrow", "mi", "mo", "mn", "mtext",
    "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr",
    "mtd", "mstyle", "mpadded", "mphantom",
}  # fmt: skip
ATTRIBUTES = {"class", "src", "alt", "loading", "style", "start"}  # style: how a table's column stands
FORMULAS = {
    "display", "displaystyle", "mathvariant", "stretchy", "fence", "form", "separator", "accent", "accentunder",
    "movablelimits", "columnalign", "rowspacing", "columnspacing", "linethickness", "scriptlevel", "minsize", "maxsize",
    "lspace", "rspace", "width",
}  # fmt: skip


FORMULA = st.lists(
    st.sampled_from([r"\frac", "{", "}", "x", "_", "^", r"\href", "javascript:1", r"\text", "<script>", "&"])
).map(lambda parts: f"${' '.join(parts)}$")
FIELDS = st.sampled_from(
    ["cell_type", "source", "outputs", "attachments", "data", "text", "image/png", "image/svg+xml", "text/plain",
     "text/html", "output_type", "execution_count", "png", "traceback", "a.png"]
)  # fmt: skip


class Inert(HTMLParser):
    """Fails at any tag or attribute that could do something."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        for name, value in attrs:
            assert name in (FORMULAS if tag.startswith("m") else ATTRIBUTES), (tag, name)
            if name == "src":
                assert re.match(r"data:image/(png|jpeg|svg\+xml);base64,[A-Za-z0-9+/=]*$", value or ""), value
                self.images.append(value or "")
            if name == "style":
                assert re.fullmatch(r"text-align:\w+", value or "")


def shown(tmp_path: Path, item: Item = ESSAY, **files: str | bytes) -> list[showing.Shown]:
    for name, content in files.items():
        path = tmp_path / name.replace("__", ".")
        path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return showing.files_of(tmp_path, {"nb": "tiny.ipynb", "model": "model.py"}, assignment(), item)


def html(found: list[showing.Shown]) -> str:
    """All pieces, which were looked at."""
    pieces = [piece.html for file in found for group in file.groups for piece in group.pieces]
    for piece in pieces:
        parser = Inert()
        parser.feed(piece)
        parser.close()
    return "".join(pieces)


def test_a_notebook_has_its_text_code_outputs_and_figures(tmp_path):
    [found] = shown(tmp_path, tiny__ipynb=NOTEBOOK)
    text = html([found])
    for part in ("<strong>gates</strong>", "<td>1</td>", "epoch 1 loss 1.1", '<span class="kn">import</span>'):
        assert part in text
    assert f"data:image/png;base64,{png()}" in text
    assert "Figure size" not in text, "of an output in several forms the picture is shown"
    assert [(group.title, group.open) for group in found.groups] == [
        ("What did you learn?", True), ("Something else", False),
    ]  # fmt: skip


def test_pictures_pasted_into_text_are_shown(tmp_path):
    text = html(shown(tmp_path, tiny__ipynb=notebook(text_cell("![a](attachment:a.png)", **{"a.png": png("proof")}))))
    assert f"data:image/png;base64,{png('proof')}" in text


def test_sections_by_the_number_of_the_items_title(tmp_path):
    item = Item(id="q", question="4", points=Decimal(1), kind="manual", title="2.1 Why the state stays bounded")
    cells = [text_cell(f"## {number} Something") for number in ("2.1.1", "2.1", "12.1", "2")]
    [found] = shown(tmp_path, item, tiny__ipynb=notebook(*cells))
    assert [group.title for group in found.groups if group.open] == ["2.1 Something"]


def test_the_file_of_an_items_part_comes_first_and_open(tmp_path):
    files = {"tiny__ipynb": NOTEBOOK, "model__py": "x = 1", "zoo__py": "y = 2", "report__pdf": REPORT}
    found = shown(tmp_path, assignment().item("scorer.forward"), **files)
    assert (found[0].name, found[0].open) == ("model.py", True)
    assert not any(file.open for file in found[1:])
    found = shown(tmp_path, **files)
    assert [file.name for file in found if file.open] == ["tiny.ipynb", "report.pdf"]


def test_a_pdf_has_pictures_of_its_pages_words_and_sections(tmp_path):
    [found] = shown(tmp_path, report__pdf=REPORT)
    assert found.facts == ("2 pages, 42 words",)
    assert [(title, words, here) for title, words, _, here in found.places] == [
        ("1 What did you learn?", 24, True), ("2 What was difficult", 9, False),
    ]  # fmt: skip
    anchors = [piece.anchor for piece in found.groups[0].pieces]
    assert [anchor for _, _, anchor, _ in found.places] == anchors
    for piece in found.groups[0].pieces:
        picture = Image.open(io.BytesIO(base64.b64decode(piece.html.split("base64,")[1].split('"')[0])))
        assert (picture.format, picture.width) == ("PNG", 1100)
        assert len(picture.convert("L").getcolors() or []) > 1, "the page is not blank"
    assert html([found]).count("<img") == 2


def test_figures_that_a_submission_claims_are_found(tmp_path):
    cells = notebook(text_cell("Our perplexity was 7,3 in the end."), cell("", output(text_plain="accuracy: 91.5 %")))
    found = showing.claims(shown(tmp_path, report__pdf=REPORT, tiny__ipynb=cells), ["accuracy", "perplexity"])
    assert found == [
        ("report.pdf, page 1", "The accuracy on the test split is 0.87 after three epochs."),
        ("tiny.ipynb, cell 1", "Our perplexity was 7,3 in the end."),
        ("tiny.ipynb, cell 2", "accuracy: 91.5 %"),
    ]
    assert showing.claims(shown(tmp_path), []) == []


ATTACK = """<script>alert(1)</script><img src=x onerror=alert(1)><iframe src="https://evil.example"></iframe>
<svg onload=alert(1)></svg><a href="javascript:alert(1)">x</a> [x](javascript:alert(1)) ![x](https://evil.example/x.png)
<https://evil.example> [ref]: javascript:alert(1) <form action=https://evil.example> 
<style>*{background:url(//evil)}</style>
"onmouseover="alert(1) </pre></div><base href="//evil"> <meta http-equiv=refresh content=0> <object data=x>
| <b onclick=alert(1)> | b |
|:--|--:|
| [y][ref] | <u>z</u> |

[ref]: https://evil.example
"""
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script>{ATTACK}</svg>'


def test_hostile_text_stays_text_wherever_it_stands(tmp_path):
    cells = notebook(
        text_cell(ATTACK),
        text_cell(f"# {ATTACK}"),
        cell(ATTACK, output(text_html=ATTACK), output(text_plain=ATTACK), output(text_latex=ATTACK)),
        cell("1", output(image_svg=SVG), output(image_png=ATTACK), output(image_jpeg=png())),
        cell("2", output(application_javascript="alert(1)"), {"output_type": "error", "ename": ATTACK,
             "evalue": ATTACK, "traceback": [ATTACK]}),
        {"cell_type": "raw", "source": ATTACK, "metadata": {}},
    )  # fmt: skip
    files = dict.fromkeys(("a__py", "b__md", "c__txt", "d__tex", "e__json", "f__csv", "g"), ATTACK)
    found = shown(tmp_path, tiny__ipynb=cells, picture__svg=SVG, **files)
    text = html(found)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert text.count("data:image/svg+xml") == 2, "an SVG is a picture, in which a browser runs and fetches nothing"
    assert f"data:image/png;base64,{png()}" in text, "a picture is what it is, not what it was said to be"


@example("$0$")
@example(
    r"$$\sqrt[3]{\frac{a}{b}} \href{javascript:1}{\text{<script>}} \left( \begin{matrix} 1 & 2 \end{matrix} \right)$$"
)
@given(st.text(st.characters(codec=None)) | FORMULA)
def test_any_text_is_inert(text):
    for shown_text in (showing.rendered, showing.highlighted, showing.preformatted):
        parser = Inert()
        parser.feed(shown_text(showing.clean(text, 4000)))
        parser.close()
    assert showing.picture("image/svg+xml", text).startswith(("<img", "<p"))
    assert showing.picture("image/png", text).startswith(("<img", "<p"))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from([ATTACK, png(), "code", "markdown", "stream", "error"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=12,
)
CELLS = st.lists(st.dictionaries(FIELDS, JSON, max_size=6) | JSON, max_size=3)


@settings(max_examples=60, deadline=None)
@given(CELLS)
def test_any_notebook_is_shown_or_named(cells):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "any.ipynb").write_text(json.dumps({"cells": cells}))
        [found] = shown(Path(folder))
    html([found])
    assert "cannot be shown" not in " ".join(found.facts), "nothing unforeseen is raised"


def test_what_was_not_foreseen_costs_one_file(tmp_path, monkeypatch):
    def broken(markdown: str) -> None:
        raise RuntimeError("deep inside a library")

    monkeypatch.setattr(showing, "rendered", broken)
    found = {entry.name: entry.facts for entry in shown(tmp_path, a__md="# x", b__txt="two words")}
    assert found["a.md"] == ("It cannot be shown (RuntimeError). Open the file itself.",)
    assert found["b.txt"] == ("2 words",)


def test_names_of_files_are_one_line_and_never_followed(tmp_path):
    (tmp_path / "<script>alert(1)<\nb>.txt").write_text("x")
    outside = tmp_path.parent / f"{tmp_path.name}-secret.txt"
    outside.write_text("secret")
    (tmp_path / "link.txt").symlink_to(outside)
    [found] = shown(tmp_path)
    assert found.name == "<script>alert(1)< b>.txt", "the page escapes it"


def test_large_and_odd_pictures_are_not_shown():
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    for side in (8_000, 60_000):
        header = chunk(b"IHDR", side.to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00")
        bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
        assert "is not shown" in showing.picture("image/png", base64.b64encode(bomb).decode())
    assert "is not shown" in showing.picture("image/png", "A" * (20 * 2**20))
    assert "is not shown" in showing.picture("image/png", base64.b64encode(b"GIF89a\1\0\1\0\0\0\0;").decode())
    laughs = '<!DOCTYPE s [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><svg xmlns="http://www.w3.org/2000/svg">&b;</svg>'
    assert "is not shown" in showing.picture("image/svg+xml", laughs)


def test_a_notebook_with_too_many_pictures_shows_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr(showing, "MAX_PICTURES", 2 * len(png()) + 1)
    text = html(shown(tmp_path, many__ipynb=notebook(*[cell("1", output(image_png=png()))] * 4)))
    assert (text.count("<img"), text.count("more pictures than are shown")) == (2, 2)


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4 cut", b"%PDF-1.4\n" + b"\0" * 5000, b"no pdf at all", b"\x89PNG"])
def test_a_damaged_pdf_costs_its_own_view(tmp_path, content):
    [found] = shown(tmp_path, broken__pdf=content)
    assert found.facts[0].startswith("It cannot be shown: ")


def test_scripts_links_and_forms_of_a_pdf_are_only_drawn(tmp_path):
    hostile = REPORT.replace(b"/Type /Catalog", b"/Type /Catalog /OpenAction << /S /JavaScript /JS (app.alert(1)) >>")
    text = html(shown(tmp_path, hostile__pdf=hostile))
    assert "app.alert" not in text
    assert text.count("<img") == 2


def with_content(data: bytes, filters: str) -> bytes:
    """A PDF whose one page has this content, packed so."""
    plain = pdf("x")
    start, end = plain.index(b"5 0 obj\n") + 8, plain.index(b"endobj", plain.index(b"5 0 obj"))
    stream = f"<< /Length {len(data)} /Filter {filters} >>\nstream\n".encode() + data + b"\nendstream\n"
    return plain[:start] + stream + plain[end:]


def test_a_pdf_that_unpacks_to_very_much_costs_its_own_view(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf_pages, "SECONDS", 1)
    packer, block = zlib.compressobj(9), b"1 0 0 RG 0 0 m 500 500 l S\n" * 40_000
    drawing = b"".join([packer.compress(block) for _ in range(120)] + [packer.flush()])
    [found] = shown(tmp_path, bomb__pdf=with_content(drawing, "/FlateDecode"))
    assert found.facts == ("It cannot be shown: it took longer than 2 seconds to read. Open the file itself.",)


def test_surrogates_and_other_bytes_are_shown_somehow(tmp_path):
    found = shown(tmp_path, a__py="x = '\ud800'", b__txt=b"\xff\xfe\0bad", tiny__ipynb=notebook(text_cell("\ud800 é")))
    html(found).encode("utf-8")


def test_many_files_are_named(tmp_path):
    for number in range(70):
        (tmp_path / f"{number:02}.txt").write_text("x")
    found = shown(tmp_path)
    assert len(found) == showing.MAX_FILES + 1
    assert (found[-1].name, len(found[-1].facts)) == ("10 more files", 10)
