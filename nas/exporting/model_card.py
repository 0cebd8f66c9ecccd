"""MODEL_CARD.md of a bundle: the network, its measurements, and how to run it."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nas.exporting.manifest import Manifest

TEMPLATE = Path(__file__).with_name("model_card.md.jinja")


def model_card(manifest: Manifest) -> str:
    """The card as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    environment.filters["plain"] = _plain
    return environment.get_template(TEMPLATE.name).render(manifest=manifest)


def _plain(text: str) -> str:
    """Escape text for Markdown."""
    one_line = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|" else c for c in one_line)
