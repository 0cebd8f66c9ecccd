"""The page's own files, and its allowed scripts."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Script:
    """A script inside the page.

    Attributes:
        text: Its source. It comes from the program, not from a user, so it is not escaped.
    """

    text: Markup

    @property
    def permit(self) -> str:
        """Its hash in the page's Content-Security-Policy: a browser runs no other script."""
        digest = hashlib.sha256(self.text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"


def scripts() -> tuple[Script, ...]:
    """Plotly, and the script that draws the figures and sorts the table, in this order."""
    # A browser hashes line ends as \n, also if the file has others.
    own = (_FOLDER / "page.js").read_text(encoding="utf-8")
    return tuple(Script(Markup(text.replace("\r\n", "\n"))) for text in (get_plotlyjs(), own))


def style() -> Markup:
    """The page's style sheet."""
    return Markup((_FOLDER / "page.css").read_text(encoding="utf-8"))


def template(path: Path = _FOLDER / "page.html.jinja") -> Template:
    """A page template; all inserted text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(path.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(path.name)
