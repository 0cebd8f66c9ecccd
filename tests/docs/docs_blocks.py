"""The fenced blocks of the documentation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        document: Its file, from the root.
        line: Of the first line inside, from 1.
        language: First word after the fence; empty when there is none.
        title: The second word: the name of the file that the text is of.
        text: What is inside.
    """

    document: str
    line: int
    language: str
    title: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"


def documents() -> list[str]:
    """README.md and everything in docs/, from the root."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [str(path.relative_to(ROOT)) for path in found]


def blocks_of(document: str) -> list[Block]:
    """All blocks of a document, in order."""
    found: list[Block] = []
    inside: list[str] | None = None
    start, info = 0, ""
    for number, line in enumerate((ROOT / document).read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if fence is None:
            if inside is not None:
                inside.append(line)
        elif inside is None:
            inside, start, info = [], number + 1, fence[1]
        else:
            language, _, title = info.partition(" ")
            text = "\n".join(inside) + "\n"
            found.append(Block(document, start, language, title.strip(), text))
            inside = None
    assert inside is None, f"{document}:{start}: a block without an end"
    return found
