from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from blocks.errors import InvalidInput
from nas.data.places import expanded, search_roots
from nas.folders import cache_dir, make_folder, source_of_runs_dir


def test_the_cache_is_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKNAS_CACHE_DIR", str(tmp_path))
    assert cache_dir() == tmp_path
    assert search_roots("elsewhere") == (Path("elsewhere"), tmp_path)


def test_the_cache_is_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKNAS_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "sknas"


def test_without_a_home_folder_it_is_a_temporary_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("SKNAS_CACHE_DIR", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    assert cache_dir() == Path(tempfile.gettempdir()) / f"sknas-{os.getuid()}"


@pytest.mark.integration
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_home_folder_that_is_closed_is_not_used(tmp_path: Path) -> None:
    closed = tmp_path / "home"
    closed.mkdir()
    os.chown(closed, 12345, 12345)
    closed.chmod(0o700)
    code = "from nas.folders import cache_dir; print(cache_dir())"
    environment = {**os.environ, "HOME": str(closed)}
    del environment["SKNAS_CACHE_DIR"]
    # Without its capabilities, root may enter no folder of others.
    command = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", sys.executable, "-c", code]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == f"{tempfile.gettempdir()}/sknas-0"


def test_a_tilde_without_a_home_folder_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match=r"~nobody-of-that-name/x: there is no home folder"):
        expanded("~nobody-of-that-name/x")


def test_a_folder_of_runs_that_cannot_be_made_names_what_decided_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKNAS_RUNS_DIR", raising=False)
    above = tmp_path / "runs"
    above.write_text("a file")
    run = above / "first"
    for folder, said in ((tmp_path, "SKNAS_RUNS_DIR"), (tmp_path / "other", "runs_dir")):
        monkeypatch.setenv("SKNAS_RUNS_DIR", str(folder))
        with pytest.raises(InvalidInput, match=rf"^{said}: .*runs/first: cannot be made \(Not a"):
            make_folder(run, source_of_runs_dir(run))
