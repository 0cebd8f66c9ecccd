"""A page as a browser's parser sees it: elements with their attributes, and the text in them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "br", "img", "hr", "input"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    path: tuple[str, ...]
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.pieces).split())


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        path = tuple(one.attributes.get("id") or one.tag for one in self._open)
        element = Element(tag, attributes, path)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag, "elements are nested"

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.pieces.append(data)

    def all(self, tag: str, inside: str = "html") -> list[Element]:
        """Elements of a tag within the element of that tag or id."""
        return [one for one in self.elements if one.tag == tag and inside in one.path]

    def section(self, name: str) -> Element:
        (found,) = [one for one in self.elements if one.attributes.get("id") == name]
        return found

    def drawings(self, section: str) -> list[dict[str, Any]]:
        """What Plotly is given in a section: {"data": [...], "layout": {...}} each."""
        divs = self.all("div", section)
        return [
            json.loads(div.attributes["data-drawing"])
            for div in divs
            if "data-drawing" in div.attributes
        ]


def trace(drawing: dict[str, Any], name: str) -> dict[str, Any]:
    """The trace of that name; a name may go on after a colon."""
    (found,) = [one for one in drawing["data"] if one["name"].split(":")[0] == name]
    return dict(found)
