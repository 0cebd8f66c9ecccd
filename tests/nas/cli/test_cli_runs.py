"""``nas runs``: what is listed, and what deleting a run removes and keeps."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blocks.yaml_files import read_yaml
from nas.cli.main import main
from nas.runs import RunFolder

KEPT = Path(__file__).parents[1] / "runs" / "made_by_0.1.0"
HOLD = """
import sys
from filelock import FileLock

with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with runs/before, which has ended, and runs/paused, which was interrupted."""
    shutil.copytree(KEPT, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """While another process holds a lock."""
    words = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield
        process.communicate()


def answer(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    return {one["name"]: one for one in json.loads(capsys.readouterr().out)}


def test_finished_and_interrupted_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for place in ("before", "paused"):
        os.utime(f"runs/{place}/search.yaml", (1, 1))
    found = listed(capsys)
    assert list(found) == sorted(found, key=lambda name: found[name]["changed"])
    assert found["before"]["state"] == "finished"
    assert found["before"]["front_size"] == 1
    assert 0 < found["before"]["best_error"] < 1
    assert found["before"]["problem"] is None
    assert found["paused"]["state"] == "stopped"
    assert (found["paused"]["trained"], found["paused"]["wanted"]) == (1, 7)
    assert main(["runs"]) == 0
    printed = capsys.readouterr().out
    assert "finished" in printed
    assert "1 of 7" in printed


@pytest.mark.integration
def test_a_run_that_another_process_holds_is_running(capsys: pytest.CaptureFixture[str]) -> None:
    with held(Path("runs/paused/.lock")):
        assert listed(capsys)["paused"]["state"] == "running"
    assert listed(capsys)["paused"]["state"] == "stopped"


def test_a_damaged_run_is_listed_with_its_problem(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs/before/search.yaml").write_text("name: [\n")
    Path("runs/paused/study.db").write_bytes(b"no database")
    found = listed(capsys)
    assert [one["state"] for one in found.values()] == ["damaged", "damaged"]
    assert "search.yaml" in found["before"]["problem"]
    assert all("\n" not in one["problem"] for one in found.values())
    assert main(["runs"]) == 0
    assert "before: runs/before/search.yaml" in capsys.readouterr().out


def test_no_runs(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree("runs")
    assert listed(capsys) == {}
    assert main(["runs"]) == 0
    assert "there are no runs yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        ("n\n", 1, "nothing was deleted"),
        ("\n", 1, "nothing was deleted"),
        ("", 2, "nobody answered; allowed: --yes"),
        ("y\n", 0, "delete runs/before with "),
    ],
)
def test_deleting_asks_first(
    said: str,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(said, monkeypatch)
    assert main(["runs", "--delete", "before"]) == code
    assert message in capsys.readouterr().err
    assert Path("runs/before").exists() == (code != 0)
    assert Path("runs/paused/study.db").is_file()


def test_only_logs_of_the_run_are_deleted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = folder / "lightning_logs"
    for place in ("before/trial_0000", "before/trial_0001/deep", "before/full", "before/mine"):
        (logs / place).mkdir(parents=True)
    (logs / "beforehand/trial_0000").mkdir(parents=True)
    (logs / "before/trial_0002").symlink_to(logs / "beforehand")
    assert main(["runs", "--delete", "before", "--yes", "--json"]) == 0
    deleted = json.loads(capsys.readouterr().out)["deleted"]
    assert deleted == [
        "runs/before",
        *(f"lightning_logs/before/{one}" for one in ("full", "trial_0000", "trial_0001")),
    ]
    assert sorted(one.name for one in (logs / "before").iterdir()) == ["mine", "trial_0002"]
    assert (logs / "beforehand/trial_0000").is_dir()
    (logs / "paused/trial_0001").mkdir(parents=True)
    assert main(["runs", "--delete", "runs/paused/", "--yes"]) == 0
    assert not (logs / "paused").exists()
    assert not list(Path("runs").iterdir())


@pytest.mark.parametrize("place", ["runs/other", "runs/before/search.yaml", "runs/before/.lock"])
def test_links_are_refused(place: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = folder / "runs/paused" if place == "runs/other" else folder / "precious"
    if place != "runs/other":
        elsewhere.write_text("mine")
        Path(place).unlink(missing_ok=True)
    Path(place).symlink_to(elsewhere)
    name = Path(place).parts[1]
    assert main(["runs", "--delete", name, "--yes"]) == 2
    assert f"{place}: a link, which is not followed" in capsys.readouterr().err
    assert elsewhere.exists()
    assert Path("runs/before/trials").is_dir()


def test_a_link_inside_a_run_goes_and_what_it_leads_to_stays(folder: Path) -> None:
    (folder / "precious").mkdir()
    (folder / "precious/file").touch()
    (folder / "runs/before/trials/link").symlink_to(folder / "precious")
    assert main(["runs", "--delete", "before", "--yes"]) == 0
    assert (folder / "precious/file").is_file()


@pytest.mark.integration
@pytest.mark.parametrize("lock", [".lock", "train/0003/.lock"])
def test_a_run_in_use_is_refused(lock: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("runs/before") / lock
    path.parent.mkdir(parents=True, exist_ok=True)
    with held(path):
        assert main(["runs", "--delete", "before", "--yes"]) == 2
        assert "runs/before: in use by another process" in capsys.readouterr().err
    assert Path("runs/before/study.db").is_file()
    assert main(["runs", "--delete", "before", "--yes"]) == 0


@pytest.mark.parametrize("name", ["nowhere", "../runs", ".", "/etc"])
def test_what_is_no_run_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--delete", name, "--yes"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["runs", "--yes"]) == 2
    assert "--yes: only with --delete NAME" in capsys.readouterr().err


def test_a_damaged_run_can_be_deleted() -> None:
    Path("runs/before/search.yaml").write_text("name: [\n")
    assert main(["runs", "--delete", "before", "--yes"]) == 0
    assert not Path("runs/before").exists()


def with_fields(name: str, **fields: str) -> None:
    config = RunFolder.existing(name).config
    config.write_text(json.dumps({**read_yaml(config), **fields}))  # JSON is YAML


def test_what_lies_elsewhere_is_named_and_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "far/before/trial_0000").mkdir(parents=True)
    shutil.move("runs/before/study.db", "far/studies.db")
    with_fields("before", storage="sqlite:///far/studies.db", logs_dir="far")
    assert main(["runs", "--delete", "before", "--yes"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "kept: the study before in far/studies.db" in printed
    assert "kept: its logs in far/before" in printed
    with sqlite3.connect("far/studies.db") as database:
        assert database.execute("SELECT count(*) FROM studies").fetchone() == (1,)
    assert Path("far/before/trial_0000").is_dir()


def test_the_password_of_a_database_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with_fields("before", storage="postgresql+psycopg://me:secret@db.example/studies")
    assert main(["runs", "--delete", "before", "--yes", "--json"]) == 0
    printed = capsys.readouterr().out
    assert "db.example/studies" in json.loads(printed)["study_kept"]
    assert "secret" not in printed
