from __future__ import annotations

import os
from pathlib import Path

import pytest

from blocks import InvalidInput
from nas.runs import RunFolder, replace_file, write_text


def test_replace_file_keeps_the_old_content_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def write_half() -> None:
        with replace_file(path) as file:
            file.write(b"half of the new con")
            raise RuntimeError("torn")

    with pytest.raises(RuntimeError, match="torn"):
        write_half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_readers_see_the_old_content_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with replace_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    # The temporary file is a link to the device that is always full: a real ENOSPC.
    temporary = tmp_path / f".a.txt.{os.getpid()}.tmp"
    temporary.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", "a b", "-x", ".hidden", "x" * 101, "a\nb", "ü"]
)
def test_run_names_cannot_leave_their_folder(name: str) -> None:
    with pytest.raises(InvalidInput, match="run name"):
        RunFolder.named(name)


@pytest.mark.parametrize("name", ["first", "runs/first", "runs/first/"])
def test_a_run_may_be_named_by_its_path(name: str) -> None:
    assert RunFolder.named(name).path == Path("runs/first")


def test_a_missing_run_names_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match="there are no runs yet"):
        RunFolder.existing("first")
    write_text(RunFolder.named("second").config, "name: second")
    with pytest.raises(InvalidInput, match="runs there are: second"):
        RunFolder.existing("first")


def test_folder_layout_is_the_documented_one() -> None:
    run = RunFolder.named("first")
    assert run.config == Path("runs/first/search.yaml")
    assert run.study == Path("runs/first/study.db")
    assert run.pareto == Path("runs/first/pareto.json")
    assert run.report == Path("runs/first/report.html")
    assert run.export("0007") == Path("runs/first/export/0007")
    trial = run.trial(7)
    assert trial.arch == Path("runs/first/trials/0007/arch.yaml")
    assert trial.metrics == Path("runs/first/trials/0007/metrics.jsonl")
    assert trial.error == Path("runs/first/trials/0007/error.txt")
    assert trial.checkpoint.stem == "checkpoint"


def test_a_link_in_a_run_that_leads_out_of_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = RunFolder.named("first")
    run.trial(0).path.mkdir(parents=True)
    run.config.write_text("")
    (run.trial(0).path / "inner").symlink_to(run.config.absolute())
    assert RunFolder.existing("first") == run
    run.lock.symlink_to("nowhere")
    with pytest.raises(InvalidInput, match=r"\.lock: a link that leads out of the run, or nowhere"):
        RunFolder.existing(run.name)
    run.lock.unlink()
    (run.trial(0).path / "output.txt").symlink_to(tmp_path / "elsewhere.txt")
    with pytest.raises(InvalidInput, match=r"output\.txt: a link that leads out of the run"):
        RunFolder.existing("first")
