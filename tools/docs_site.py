"""Hooks of the documentation site (mkdocs.yml): one set of pages for the repository view and the site.

A page links to files as they lie in the repository. These hooks turn such links into links of the site.
README.md is its first page. Other pages and sources outside ``docs/`` become part of it when a page
links to them. The references of the command line and the Python API come from the program itself.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs/"
OUTSIDE = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "benchmarks/curves/README.md",
)
"""Pages of the site that lie outside docs/."""

LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
FENCE = re.compile(r"^(```\w*)(?: (\S+))?$")
COMMANDS = re.compile("^.*<!-- every command and option -->$", re.MULTILINE)
NAMES = re.compile("^.*<!-- every public name -->$", re.MULTILINE)
"""Lines of the repository view that the site has the reference in place of."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages that a pattern of the navigation stands for in its place."""
    config.nav = list(_expanded(config.nav or []))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/, and every other file that a page links to."""
    sources = [*OUTSIDE, *(DOCS + file.src_uri for file in files.documentation_pages())]
    linked = {target for source in sources for target in _targets(source)}
    for path in dict.fromkeys([*OUTSIDE, *sorted(linked)]):
        if not path.startswith(DOCS) and (ROOT / path).is_file():
            files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn a page of the repository into one of the site."""
    uri = page.file.src_uri
    source = uri if uri in OUTSIDE else DOCS + uri

    def link(match: re.Match[str]) -> str:
        target = _target(source, match[1]).removeprefix(DOCS)
        return posixpath.relpath(target, posixpath.dirname(uri) or ".") + (match[2] or "")

    text = "\n".join(_rewritten(markdown.splitlines(), link))
    text = COMMANDS.sub(lambda _: "\n".join(_commands()), text)
    return NAMES.sub(lambda _: "\n".join(_names()), text)


def _expanded(nav: list[Any]) -> Iterator[Any]:
    for entry in nav:
        if isinstance(entry, dict):
            yield {
                title: list(_expanded(inside)) if isinstance(inside, list) else inside
                for title, inside in entry.items()
            }
        elif "*" in entry:
            named = {path for path in nav if isinstance(path, str)}
            found = (path.relative_to(ROOT / DOCS) for path in (ROOT / DOCS).glob(entry))
            yield from sorted({path.as_posix() for path in found} - named)
        else:
            yield entry


def _targets(source: str) -> Iterator[str]:
    found: list[str] = []

    def note(match: re.Match[str]) -> str:
        found.append(_target(source, match[1]))
        return match[0]

    list(_rewritten((ROOT / source).read_text(encoding="utf-8").splitlines(), note))
    yield from found


def _target(source: str, link: str) -> str:
    """The file, from the root, that ``link`` on the page ``source`` leads to."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    return f"{path}/README.md" if (ROOT / path).is_dir() else path


def _rewritten(lines: list[str], link: Callable[[re.Match[str]], str]) -> Iterator[str]:
    """The lines with ``link`` applied outside of fences, and the file names of fences as titles."""
    inside = False
    for line in lines:
        fence = FENCE.match(line)
        if fence is not None:
            inside = not inside
            title = fence[2] if fence[2] and "." in fence[2] else None
            yield fence[1] + (f' title="{title}"' if title else "")
        else:
            yield line if inside else LINK.sub(link, line)


def _commands() -> Iterator[str]:
    """A section of Markdown for each command."""
    import typer

    from nas.cli.main import app

    yield from _sections("nas", typer.main.get_command(app))


def _sections(name: str, command: Any) -> Iterator[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    if hasattr(command, "list_commands"):
        for inner in command.list_commands(context):
            yield from _sections(f"{name} {inner}", command.get_command(context, inner))
        return
    yield from (f"## {name}", "", *_paragraphs(command.help or ""), "")
    panel = None
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        heading = getattr(parameter, "rich_help_panel", None) or "Options"
        if heading != panel:
            panel = heading
            yield from ("", f"| {heading} | what | default |", "|---|---|---|")
        yield f"| {_spelling(parameter)} | {_cell(parameter.help or '')} | {_default(parameter)} |"
    yield ""


def _paragraphs(text: str) -> Iterator[str]:
    """The help of a command; its examples as code."""
    for line in text.splitlines():
        start, found, example = line.partition("Example: ")
        yield from ("```", example, "```") if found and not start.strip() else (line,)


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    return ", ".join(f"`{one}`" for one in [*parameter.opts, *parameter.secondary_opts])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "must be given"
    default = parameter.default
    plain = isinstance(default, (int, float, str)) and not isinstance(default, bool)
    return f"`{default}`" if plain and default != "" else ""


def _names() -> Iterator[str]:
    """A mkdocstrings block for each public name."""
    import nas

    for name in getattr(nas, "__all__", ()):
        if name.startswith("__"):
            continue
        yield from (
            f"::: {_home('nas', name)}",
            "    options:",
            f"      heading: nas.{name}",
            f"      toc_label: {name}",
            "",
        )


def _home(module: str, name: str) -> str:
    """Where the object that ``module`` offers as ``name`` is defined, as a dotted path."""
    path = ROOT / module.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _home(node.module, alias.name)
    return f"{module}.{name}"
