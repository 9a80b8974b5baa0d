"""Every page of docs/ is in the site's navigation, and what pages name of each other is there."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
ABOVE = {ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")}
PAGES = sorted({*DOCS.rglob("*.md"), *ABOVE})
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def named(entry):
    """The pages of a part of the navigation."""
    if isinstance(entry, str):
        return [entry]
    return [page for part in (entry.values() if isinstance(entry, dict) else entry) for page in named(part)]


def anchors(page):
    """Of a page's headings, as both GitHub and the site call them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower())) for heading in headings}


def test_the_navigation_names_every_page_once():
    navigation = named(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"])
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert sorted(navigation) == sorted([*pages, "index.md", "CHANGELOG.md", "CONTRIBUTING.md"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_is_broken(page):
    for path, anchor in LINK.findall(FENCED.sub("", page.read_text("utf-8"))):
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target in PAGES, f"{path} is no page of the site"
        assert not anchor or anchor in anchors(target), f"{path} has no heading {anchor}"
