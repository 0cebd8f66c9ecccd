"""The shell commands of the documentation: found, parsed, and made small enough to be run in a test."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import metadata
from itertools import pairwise

import typer

from nas.cli.main import app
from nas.data import DATASETS
from nas.exporting import TARGETS
from search_spaces import SPACES
from tests.docs.docs_blocks import ROOT, Block, blocks_of

SHELL = ("", "sh")
"""Languages of blocks whose every line is a command."""

NO_SHELL = ("python", "yaml", "json", "text", "toml", "ini")

OUTPUT = ("Pareto front (hypervolume",)
"""Beginnings of blocks without a language that are what a command printed."""

SMALL_SPACE = """
name: small
fixed:
  backbone: shufflenet_v2
  width: 0.25
  stem_stride: 2
  unit: {kind: none, blocks: [-1], stages: {4: {kind: sk}}}
vary:
  unit.dilations: {choice: [[1, 2], [1, 3]]}
"""
"""Stands in for the shipped spaces, which have tests of their own: two networks with few benchmarks."""

SCALED = {
    "--trials": "1",
    "--epochs": "1",
    "--total-epochs": "2",
    "--workers": "1",
    "--inherit": "1",
    "--devices": "1",  # more of them: tests/nas/training/test_training_devices.py
    "--max-latency-ms": "1000",  # this machine is busy with tests
    "--trial": "0",
    "--targets": "onnx",  # the others: tests/nas/exporting/test_export_targets.py
    "--target": "ncnn",  # its benchmarks are exported in a third of the time
    "--seconds": "0.02",
}
"""Values that take the places of documented ones. Everything else runs as it stands, but for --int8."""

ADDED = {
    "search": ["--threads", "1", "--limit", "64"],
    "train": ["--threads", "1", "--epochs", "1"],
    "confirm": ["--threads", "1", "--epochs", "1"],
    "attention": ["--limit", "16"],
    "export": ["--images", "32"],
    "bench": ["--seconds", "0.02"],
    "tables": ["4"],
    "latency import": ["--allow-busy"],
}

PHOTOGRAPHS = ("photos",)
"""Folders that a document makes and gives to --data by their plain paths."""

SMALL_SETS = {"benchmarks/stamps.py": ["--train", "60", "--test", "40"]}
"""Scripts that make a set of images, with what makes it small: each shows every object at most once."""

COMPLETION = ("--install-completion", "--show-completion")
"""Options of ``nas`` itself."""
LISTED = {
    "make ": "installs into .venv; its commands are parsed in test_docs_commands.py",
    "pip install": "needs a registry; the extras it names are looked up",
    "ray start": "needs machines: tests/nas/searching/test_search_ray.py",
    "tensorboard ": "a server of another program; tests/nas/cli/test_cli_walk.py looks at the logs",
    "nas dashboard": "a server: tests/nas/cli/test_cli_dashboard.py",
    "nas demo": "a server: tests/nas/cli/test_cli_demo.py",
    "npm install": "needs a registry: tests/nas/exporting/test_export_browser_page.py",
    "nas --install-completion": "writes to the start-up file of a shell",
    "python benchmarks/": "hours; file and options are looked up",
    "python docs/results/": "draws the figures of a page; file and options are looked up",
    "python -m pytest": "half an hour; the file is looked up",
}
"""Beginnings of commands that are not run, and why."""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        place: Document and line.
        words: Of it, without comment and redirection.
        output: File that it is redirected to.
        refused: Whether the comment beside it says that it is refused.
    """

    place: str
    words: tuple[str, ...]
    output: str | None = None
    refused: bool = False

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def listed(self) -> str | None:
        """The entry of LISTED that it begins with."""
        if self.makes_images:
            return None
        return next((start for start in LISTED if f"{self.text} ".startswith(start)), None)

    @property
    def makes_images(self) -> bool:
        """Whether it makes the images that the other commands of its document are about."""
        return self.words[0] == "python" and self.words[1] in SMALL_SETS and not self.is_form

    @property
    def is_form(self) -> bool:
        """Whether it has ``...`` in the place of words, or is the record of what took hours."""
        return "..." in self.words or self.place.startswith("docs/results/")


def is_shell(block: Block) -> bool:
    """Whether the lines of ``block`` are commands.

    Raises:
        AssertionError: Its language is not known here, or commands are in a block of another language.
    """
    assert block.language in (*SHELL, *NO_SHELL), f"{block.place}: language {block.language!r}"
    if block.language in SHELL:
        return not block.text.startswith(OUTPUT)
    hidden = re.search(r"^(\$ |nas |pip |make )", block.text, re.MULTILINE)
    assert hidden is None, f"{block.place}: {hidden[0]!r} in a block of {block.language}"
    return False


def commands_in(block: Block) -> Iterator[Command]:
    """The commands of a block, continued lines joined."""
    text = block.text.replace("\\\n", " ")
    for number, line in enumerate(text.splitlines()):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        output = None
        if ">" in words:
            *words, arrow, output = words
            assert arrow == ">", f"{block.place}: {line}"
        refused = "# refused" in line
        yield Command(f"{block.document}:{block.line + number}", tuple(words), output, refused)


def commands_of(document: str) -> list[Command]:
    """All commands of a document, in order."""
    return [one for block in blocks_of(document) if is_shell(block) for one in commands_in(block)]


def check_arguments(words: Sequence[str]) -> None:
    """Have the real command line read the words after ``nas``, without running anything.

    Raises:
        typer.TyperException: An option or a value that the command does not have.
        InvalidInput: A name that is not one of those allowed.
    """
    command = typer.main.get_command(app)
    if words[0] in COMPLETION:
        assert words[0] in {name for parameter in command.params for name in parameter.opts}
        return
    rest = [word for word in words if word != "..."]
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    missing = "..." in words  # what the three dots stand for
    command.make_context(command.name, rest, resilient_parsing=missing)
    if missing:
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known, words
    for option, value in pairwise(rest):
        if option == "--space":
            assert value in SPACES or value.endswith(".yaml"), value
        if option == "--data":
            named = value in DATASETS or value in PHOTOGRAPHS
            assert named or value.startswith("imagefolder:") or ".py:" in value, value
        if option == "--targets":
            assert set(value.split(",")) <= set(TARGETS), value


def scaled(words: Sequence[str]) -> list[str]:
    """The words after ``nas`` of a command that takes seconds."""
    small = [renamed(word) for word in words if word != "--int8"]
    if "--accelerator" in small:  # no target of SCALED has one
        at = small.index("--accelerator")
        del small[at : at + 2]
    for index, option in enumerate(small[:-1]):
        value = small[index + 1]
        if option in SCALED:
            small[index + 1] = SCALED[option]
        elif option == "--space" and value in SPACES:
            small[index + 1] = "small.yaml"
        elif option == "--data" and value in DATASETS:
            small[index + 1] = "digits"
    name = " ".join(words[:2]) if words[0] == "latency" else words[0]
    added = ADDED.get(name, [])
    if name == "search" and "--resume" in words:
        return small
    if not added[:1] or not added[0].startswith("--"):
        return [*small, *added]
    pairs = [added[index : index + 2] for index in range(0, len(added), 2)]
    return small + [word for pair in pairs if pair[0] not in small for word in pair]


def renamed(path: str) -> str:
    """Where a path leads once values are those of SCALED."""
    return re.sub(r"-onnx$", "-ncnn", re.sub(r"/0\d{3}\b", "/0000", path))


def look_up(command: Command) -> None:
    """Check what a command names that is not run: files, options, extras, targets of make.

    Raises:
        AssertionError: Something is not there.
    """
    _, *rest = command.words
    options = {word.partition("=")[0] for word in rest if word.startswith("--")}
    match command.listed:
        case "make ":
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert all(f"\n{target}:" in makefile for target in rest if "=" not in target)
        case "pip install":
            extras = metadata("sknas").get_all("Provides-Extra") or []
            assert set(re.findall(r"\[(\w+)\]", command.text)) <= set(extras)
        case "python -m pytest":
            assert all((ROOT / word).is_file() for word in rest if word.startswith("tests/"))
        case "python benchmarks/" | "python docs/results/":
            source = (ROOT / rest[0]).read_text(encoding="utf-8")
            assert all(f'"{option}"' in source for option in options)
