"""The lists of commands and of public names, as the repository shows them."""

from __future__ import annotations

import inspect

import nas
from nas.cli.group import COMMANDS
from tests.docs.docs_blocks import ROOT


def rows_of(page: str) -> list[str]:
    """The lines of a page that begin with a command or a public name."""
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("| `nas")]


def test_every_command_has_the_first_line_of_its_help() -> None:
    assert rows_of("commands.md") == [
        f"| `nas {name}` | {text} |" for name, text in COMMANDS.items()
    ]


def test_every_public_name_has_the_first_sentence_of_its_docstring() -> None:
    expected = []
    for name in nas.__all__:
        if not name.startswith("__"):
            paragraph = (inspect.getdoc(getattr(nas, name)) or "").split("\n\n")[0]
            expected.append(f"| `nas.{name}` | {' '.join(paragraph.split())} |")
    assert rows_of("api.md") == expected
