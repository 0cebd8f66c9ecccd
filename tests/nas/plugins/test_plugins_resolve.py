"""References: resolved in every process, made of objects, refused in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blocks.errors import InvalidInput
from nas.naming import call, command_line, trial_call
from nas.plugins import Expected, calling, identity, is_reference, reference_to, resolve

FUNCTION = Expected("a function", callable)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_file_is_run_once_and_its_objects_have_references() -> None:
    Path("my.py").write_text("with open('ran', 'a') as f: f.write('x')\ndef one(): return 1\n")
    first = resolve("my.py:one", "data", FUNCTION)
    assert resolve(str(Path("my.py").resolve()) + ":one", "data", FUNCTION) is first
    assert Path("ran").read_text() == "x"
    assert reference_to(first, "data") == "my.py:one"


def test_files_of_one_name_in_two_folders_are_two_modules() -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "my.py").write_text(f"def one(): return {folder!r}\n")
    one, two = (resolve(f"{folder}/my.py:one", "data", FUNCTION) for folder in ("a", "b"))
    assert callable(one)
    assert callable(two)
    assert (one(), two()) == ("a", "b")


def test_modules_are_imported() -> None:
    found = resolve("os.path:join", "data", FUNCTION)
    assert found is os.path.join
    assert reference_to(subprocess.run, "data") == "subprocess:run"
    assert reference_to("os.path:join", "data") == "os.path:join"


@pytest.mark.parametrize(
    ("text", "reference", "said"),
    [
        (
            None,
            "my.py:x",
            "data my.py:x: /.*my.py: no such file$",
        ),
        ("\nx: int = 1", "my.py:x", r"/my\.py, line 2: an int; expected a function"),
        ("x = 1", "my.py:y", r"my\.py defines no 'y'; expected a function"),
        ("\n1 / 0", "my.py:x", "my.py, line 2: ZeroDivisionError: division by zero"),
        ("x = (", "my.py:x", "my.py, line 1: SyntaxError"),
        (
            "\nimport nowhere",
            "my.py:x",
            "my.py, line 2: ModuleNotFoundError: No module named 'nowhere'",
        ),
        (None, "nowhere.at:all", "no module 'nowhere' in this Python; install the package"),
        (None, "just words", "not an import path; allowed: package.module:NAME or"),
        (None, "os:1x", "not an import path"),
    ],
)
def test_refusals_are_one_line(text: str | None, reference: str, said: str) -> None:
    if text is not None:
        Path("my.py").write_text(text)
    with pytest.raises(InvalidInput, match=said) as caught:
        resolve(reference, "data", FUNCTION)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("data ")


def test_what_is_not_written_in_python_has_no_place() -> None:
    wrong: Any = len
    said = r"^evaluator builtins:len: TypeError: len\(\) takes .*; expected words$"
    with (
        pytest.raises(InvalidInput, match=said),
        calling("evaluator", "builtins:len", "words", len),
    ):
        wrong(1, 2)


def test_a_script_that_is_cut_short_defines_less() -> None:
    Path("my.py").write_text("import nas\nnas.search('quickstart')\ndef one(): return 1\n")
    with pytest.raises(InvalidInput, match="defines no 'one' before it starts a search; expected"):
        resolve("my.py:one", "data", FUNCTION)


def test_messages_name_calls_as_their_reader_makes_them() -> None:
    def calls() -> list[str]:
        return [
            call("search", resume="a", trials=3),
            call("export", "a.pt"),
            trial_call("train", "a", 2),
        ]

    assert calls() == [
        "nas.search(resume='a', trials=3)", "nas.export('a.pt')", "nas.open_run('a').train(2)"
    ]  # fmt: skip
    with command_line():
        assert calls() == [
            "nas search --resume a --trials 3", "nas export a.pt", "nas train a --trial 2"
        ]  # fmt: skip


@pytest.mark.parametrize(
    "place", ["runs/a/my.py", "elsewhere/my.py", "elsewhere/trials/0/my.py", "bundle/my.py"]
)
def test_files_in_runs_and_bundles_are_never_run(place: str) -> None:
    for name in ("elsewhere/search.yaml", "elsewhere/trials/0/x", "bundle/manifest.json",
                 "bundle/predict.py", place):  # fmt: skip
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("open('ran', 'w')")
    Path("link.py").symlink_to(place)
    for path in (place, "link.py"):
        with pytest.raises(
            InvalidInput, match="a folder of runs or a bundle; allowed: a file elsewh"
        ):
            resolve(f"{path}:x", "data", FUNCTION)
    assert not Path("ran").exists()


def test_what_has_no_name_is_to_be_put_into_a_file() -> None:
    def local() -> None: ...

    for thing in (local, lambda: 1, object()):
        with pytest.raises(
            InvalidInput, match=r"put it into a file and give path/of/file\.py:NAME"
        ):
            reference_to(thing, "objective")


def test_identity_is_kept_when_a_file_moves() -> None:
    assert identity("/a/my.py:x") == identity("b/my.py:x") == "my.py:x"
    assert identity("a.b:x") == "a.b:x"
    assert identity("imagefolder:/photos") == "imagefolder:/photos"
    assert is_reference("my.py:x")
    assert not is_reference("digits")


SCRIPT = """
from nas.plugins import end_load, reference_to, resolve, Expected
from nas.training.fork_server import fork_process

def work(): pass

with open("log", "a") as f: print(__name__, file=f)
end_load()  # as nas.search does
reference = reference_to(work, "data")
assert reference == "script.py:work", reference
assert resolve(reference, "data", Expected("", callable)) is work
from nas.plugins.resolve import resolve as target
from child import child
process = fork_process(child, (reference,))
process.join()
print("child", process.exitcode)
"""
CHILD = """
from nas.plugins import Expected, resolve
def child(reference):
    assert resolve(reference, "data", Expected("", callable)).__name__ == "work"
"""


@pytest.mark.integration
def test_a_script_without_a_guard_runs_once_and_is_read_up_to_its_search() -> None:
    Path("script.py").write_text(SCRIPT)
    Path("child.py").write_text(CHILD)
    done = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.strip() == "child 0", done.stderr
    names = Path("log").read_text().split()
    assert names[0] == "__main__"
    assert len(names) == 2  # the child read it for work, and no process ran it
    assert names[1].startswith("sknas_plugin_script_")
