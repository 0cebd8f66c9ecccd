"""The page's own files, and the scripts that it may run."""

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
    """A script that stands in the page itself.

    Attributes:
        text: Its source. It is the program's own, not a user's, so that it is not escaped.
    """

    text: Markup

    @property
    def permit(self) -> str:
        """What names it in the page's Content-Security-Policy: a browser runs nothing else."""
        digest = hashlib.sha256(self.text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"


def scripts() -> tuple[Script, ...]:
    """Plotly, and what draws the figures and sorts the table; in this order."""
    # A browser counts line ends as \n, whatever the file has.
    own = (_FOLDER / "page.js").read_text(encoding="utf-8")
    return tuple(Script(Markup(text.replace("\r\n", "\n"))) for text in (get_plotlyjs(), own))


def style() -> Markup:
    """The page's style sheet."""
    return Markup((_FOLDER / "page.css").read_text(encoding="utf-8"))


def template(path: Path = _FOLDER / "page.html.jinja") -> Template:
    """The template of the page, or of another; everything put into it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(path.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(path.name)
