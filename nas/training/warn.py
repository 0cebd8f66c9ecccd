"""Warnings of a training: a line of its output, which the search shows once."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

BEGINS: Final = "warning: "
TAIL: Final = 10_000
"""Characters of an output that are looked through."""


def warn(text: str) -> None:
    """Say on standard error, which is the output of a training process, what a person should know."""
    logging.getLogger("nas").warning("%s%s", BEGINS, text)


def warnings_in(output: Path) -> tuple[str, ...]:
    """The warnings in the output of a training, each once; none without a file."""
    try:
        text = output.read_text(encoding="utf-8", errors="replace")[-TAIL:]
    except FileNotFoundError:
        return ()
    return tuple(dict.fromkeys(line for line in text.splitlines() if line.startswith(BEGINS)))
