"""The examples in the docstrings of the public names, and README's, run as a user would run them."""

from __future__ import annotations

import doctest
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nas
from tests.docs.docs_blocks import blocks_of

pytestmark = pytest.mark.integration

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SMALLER = {"trials=12, epochs=6": "trials=2, epochs=1", "epochs=25": "epochs=1"}
"""Of README's example, which takes minutes as it stands."""
NAMES = [name for name in nas.__all__ if name != "__version__"]


def run_examples(name: str) -> tuple[int, str]:
    """How many examples the docstrings of a public name and its methods have, and what they fail in."""
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(getattr(nas, name), name, globs={}):
        runner.run(test, out=said.append)
    return runner.tries, "".join(said)


@pytest.fixture(scope="module")
def with_a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the example of ``nas.search`` was run; the others read its run."""
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        tries, said = run_examples("search")
    assert tries
    assert not said, said
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_an_example_that_works(
    name: str, with_a_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(with_a_run)
    assert "Examples:" in (inspect.getdoc(getattr(nas, name)) or "")
    if name == "search":
        return  # was run for the fixture
    tries, said = run_examples(name)
    assert tries
    assert not said, said


@pytest.mark.timeout(1200)  # with other tests beside it
def test_the_python_of_the_readme_runs_as_a_script(tmp_path: Path) -> None:
    (block,) = (one for one in blocks_of("README.md") if one.language == "python")
    text = block.text
    for old, new in SMALLER.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "first.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "first.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d+ \(0\.\d+, \d\.\d+\) sk d1", done.stdout, re.MULTILINE)  # of the front
    assert 0 <= float(done.stdout.split()[-1]) <= 1
    assert list(tmp_path.glob("runs/first/export/*/*int8*.onnx"))
