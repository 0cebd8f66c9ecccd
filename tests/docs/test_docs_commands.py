"""Every command of README.md and docs/: run in the order of its document, small where that takes hours.

Commands of ``nas`` run in this process. ``scp`` copies on this machine, so that what is told of a device
is rehearsed beside it. What is not run is in docs_commands.LISTED, with the reason, or is a form or a
record (``Command.is_form``); both are read by the real command line all the same.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from PIL import Image

from blocks import BACKBONES, UNITS, plugins
from nas.cli.main import main
from tests.docs.docs_blocks import ROOT, Block, blocks_of, documents
from tests.docs.docs_commands import (
    LISTED,
    SMALL_SETS,
    SMALL_SPACE,
    Command,
    check_arguments,
    commands_in,
    commands_of,
    is_shell,
    look_up,
    renamed,
    scaled,
)

pytestmark = pytest.mark.integration

EDITS = {
    # The one network that is trained and exported has the unit that the page is about.
    "{choice: [eca, se, none]}": "{choice: [eca]}",
    # The tutorial in Python; its commands are made small by docs_commands.SCALED and ADDED.
    "trials=6, workers=2": "trials=1, epochs=1, limit=64",
    "epochs=6": "epochs=1",
    'run.export(point, targets=["onnx"], int8=True)': 'run.export(point, targets=["onnx"], images=32)',
}
"""Changes to files of the documents."""

PRINTED = ("docs/tutorial.md", "docs/howto/check_photographs.md")
"""Documents whose blocks of text are what their commands print."""

NOT_COMPARED = re.compile(
    r"\.\.\.|[┏┃┡│└]"  # lines left out; tables
    r"|Copies in one split|  train/|suspected wrong labels|\d of \d steps"  # not with so few images
    r"|\w+\.jpg  |onnx-|AMD |bench.py:|the times spread"  # of a network that has learnt; of the machine
)

STAMPS = Path("/usr/share/tuxpaint/stamps")

WITH_COMMANDS = [document for document in documents() if commands_of(document)]


class Walk:
    """One document, walked in a folder of its own.

    Every block begins in that folder. Files that its blocks name are there from the start, beside the
    image ``photo.png``.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.printed: list[str] = []
        """What the programs that were started have printed; those in this process print to stdout."""
        self._folder = folder
        self._patch = patch
        (folder / "small.yaml").write_text(SMALL_SPACE)
        self._photo = folder / "photo.png"
        Image.effect_noise((40, 40), 64).save(self._photo)

    def write(self, block: Block) -> None:
        """Make the file that a block is the text of."""
        path = self._folder / block.title
        text = block.text
        for old, new in EDITS.items():
            text = text.replace(old, new)
        path.write_text(text)

    def run_all(self, block: Block) -> None:
        """Run the commands of a block, if it has any."""
        if is_shell(block):
            for command in commands_in(block):
                self.run(command)

    def run(self, command: Command) -> None:
        """Run a command, or check what can be checked of it."""
        first, *rest = command.words
        if first == "nas":
            check_arguments(rest)
        if command.listed is not None:
            look_up(command)
        elif first == "nas":
            if not command.is_form:
                self._nas(command, scaled(rest))
        elif command.makes_images:
            self._make_images(command)
        elif first == "python":
            self._python(command)
        elif first == "scp":
            self._copy([word for word in rest if not word.startswith("-")])
        elif first in ("export", "unset"):
            self._set(*rest[0].split("="))
        elif first == "cd":
            os.chdir(rest[0])
        else:
            pytest.fail(
                f"{command.place}: no test knows {command.text!r}; let Walk run it, or list it in "
                "docs_commands.LISTED with the reason"
            )

    def _nas(self, command: Command, words: list[str]) -> None:
        if command.output is None:
            code = main(words)
            assert code == (2 if command.refused else 0), f"{command.place}: {words}"
        else:
            self._start(command, ["-m", "nas", *words])

    def _python(self, command: Command) -> None:
        script, *options = command.words[1:]
        if script in ("predict.py", "bench.py") and not Path(script).exists():
            script = str(self._latest(script))  # "in that folder"
        if Path(script).name == "bench.py":
            options += ["--seconds", "0.02"]
        image = re.compile(r".*\.jpg|IMAGE(\.\.\.)?")
        words = [str(self._photo) if image.fullmatch(word) else word for word in options]
        self._start(command, [script, *words])

    def _make_images(self, command: Command) -> None:
        if not STAMPS.is_dir():
            pytest.skip("the Debian package tuxpaint-stamps-default is not installed")
        script, *options = command.words[1:]
        self._start(command, [str(ROOT / script), *options, *SMALL_SETS[script]])

    def _start(self, command: Command, words: list[str]) -> None:
        done = subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{command.place}: {done.stderr}"
        if command.output is None:
            self.printed += done.stdout.splitlines()
        else:
            Path(command.output).write_text(done.stdout)

    def _latest(self, script: str) -> Path:
        found = [path for path in self._folder.rglob(script) if "runs" in path.parts]
        return max(found, key=lambda path: path.stat().st_mtime)

    def _copy(self, words: list[str]) -> None:
        """As scp -r does, with all machines in one folder."""
        *sources, target = (renamed(word.partition(":")[2] or word) for word in words)
        for source in map(Path, sources):
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)

    def _set(self, name: str, value: str | None = None) -> None:
        assert name == plugins.VARIABLE, name
        if value is None:
            self._patch.delenv(name)
        else:
            self._patch.setenv(name, value.replace("$PWD", str(self._folder)))
        # As a new process finds them.
        self._patch.setattr(plugins, "_problem", None)
        for registry in (UNITS, BACKBONES):
            own = [name for name, entry in registry._entries.items() if _is_plugin(entry)]
            left = {name: entry for name, entry in registry._entries.items() if name not in own}
            self._patch.setattr(registry, "_entries", left)


def _is_plugin(entry: object) -> bool:
    return type(entry).__module__.startswith("sknas_plugin_")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("document", WITH_COMMANDS)
def test_the_commands_of_a_document_work(
    document: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    walk = Walk(tmp_path, monkeypatch)
    blocks = blocks_of(document)
    for block in blocks:
        if "." in block.title:
            walk.write(block)
    for block in blocks:
        monkeypatch.chdir(tmp_path)
        walk.run_all(block)
    if document in PRINTED:
        printed = {_gist(line) for line in [*walk.printed, *capsys.readouterr().out.splitlines()]}
        texts = [block.text for block in blocks if block.language == "text"]
        lines = [line for text in texts for line in text.splitlines()]
        compared = [line for line in lines if NOT_COMPARED.match(line) is None]
        assert [line for line in compared if _gist(line) not in printed] == []


def _gist(line: str) -> str:
    """A line up to its first colon, without figures: they depend on how much is run, and where."""
    words = " ".join(re.sub(r"\d[\d.,]*[hms]?", "#", line).replace("##", "#").split())
    return re.sub(r"(# \w+?)s\b", r"\1", words).partition(": ")[0]


def test_what_is_listed_is_there_and_its_tests_are() -> None:
    listed = {command.listed for document in documents() for command in commands_of(document)}
    assert listed - {None} == set(LISTED)
    for reason in LISTED.values():
        for name in re.findall(r"tests/\S+\.py", reason):
            assert (ROOT / name).is_file(), name


def test_the_commands_of_the_makefile_are_read_by_the_command_line() -> None:
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    found = [line.partition("$(BIN)/nas ")[2].rstrip("; \\") for line in lines if "/nas " in line]
    assert len(found) == 3
    for line in found:
        check_arguments(line.replace("$(NAME)", "quickstart").split())


@pytest.mark.parametrize(
    "line", ["nas frobnicate first", "nas search --trails 4", "nas search --trials many"]
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    with pytest.raises((KeyError, typer.TyperException)):
        check_arguments(line.split()[1:])


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("", "nas pareto first\ncargo run\n", "docs/new.md:4: no test knows 'cargo run'"),
        ("bash", "nas pareto first\n", "docs/new.md:3: language 'bash'"),
        ("text", "pip install sknas\n", "docs/new.md:3: 'pip ' in a block of text"),
    ],
)
def test_a_new_command_that_nobody_knows_is_found(
    language: str, text: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = Walk(tmp_path, monkeypatch)
    monkeypatch.setattr(walk, "_nas", lambda command, words: None)
    block = Block("docs/new.md", 3, language, "", text)
    with pytest.raises((AssertionError, pytest.fail.Exception), match=re.escape(expected)):
        walk.run_all(block)
