"""What a page of HTML holds, as far as tests of reports ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

VOID = {"meta", "img", "br", "link", "input", "hr"}


@dataclass
class Page(HTMLParser):
    """A parsed page: elements in order as (tag, attributes), text, headings."""

    text: str = ""
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def read(cls, path: Path) -> Page:
        page = cls()
        page.feed(path.read_text(encoding="utf-8"))
        page.close()
        assert page._open == []  # all elements are closed, in order
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if self._open and self._open[-1] in ("h1", "h2", "h3", "h4"):
            level, heading = self.headings[-1]
            self.headings[-1] = level, heading + data

    def of(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def assert_sound(page: Page) -> None:
    """Check what holds for every report: it loads nothing, and can be read with a screen reader."""
    for tag, attributes in page.elements:
        assert attributes.get("src", "data:").startswith("data:")
        if tag != "a":
            assert "href" not in attributes
        elif not attributes["href"].startswith("#"):
            assert attributes["href"].startswith("https://")  # citations, followed only if clicked
    assert "script" not in {tag for tag, _ in page.elements} and "url(" not in str(page.elements)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in page.of("a"):
        if attributes["href"].startswith("#"):
            assert attributes["href"][1:] in ids
    assert all(len(image["alt"]) > 20 for image in page.of("img"))
    assert page.of("html") == [{"lang": "en"}]
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.of("caption")) == len(page.of("table"))
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.of("th"))
