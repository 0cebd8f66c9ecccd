"""The programs of a bundle that show how an application runs its files, as templates."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def rendered(name: str, **values: object) -> str:
    """The template ``name`` of this folder with its values filled in."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # source code, not HTML
    )
    return environment.get_template(name).render(**values)
