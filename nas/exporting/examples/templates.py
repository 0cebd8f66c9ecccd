"""Templates of source code, and values as each language writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent


def rendered(name: str, **values: object) -> str:
    """The template ``name`` of this folder with its values filled in."""
    return _environment().get_template(name).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # source code; the page escapes what it shows
    )
    filters: dict[str, Callable[..., str]] = {
        "cfloat": in_c,
        "cfloats": lambda numbers: f"{{{', '.join(map(in_c, numbers))}}}",
        "cpp": in_cpp,
        "js": in_javascript,
        "kotlin": in_kotlin,
        "swift": in_swift,
    }
    environment.filters.update(filters)
    return environment


def in_c(number: float) -> str:
    """A float of C++ or Kotlin."""
    return f"{float(number)!r}f"


def in_cpp(text: str) -> str:
    """A string of C++ in UTF-8; what is not printed is written in octal."""
    return '"' + "".join(map(_character_of_cpp, text)) + '"'


def _character_of_cpp(character: str) -> str:
    if character in '"\\?':  # ?? begins a trigraph in old compilers
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "replace"))


def in_javascript(value: object) -> str:
    """A value of JavaScript, safe inside HTML too."""
    if isinstance(value, (list, tuple)) and value and not isinstance(value[0], (int, float)):
        return "[\n" + "".join(f"  {in_javascript(one)},\n" for one in value) + "]"
    return json.dumps(value).replace("<", "\\u003c")


def in_kotlin(text: str) -> str:
    """A string of Kotlin."""
    return json.dumps(text).replace("$", "\\$").replace("\\f", "\\u000c")


def in_swift(text: str) -> str:
    """A string of Swift."""
    return '"' + "".join(map(_character_of_swift, text)) + '"'


def _character_of_swift(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\u{{{ord(character):x}}}"
