"""``nas data check`` on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nas.cli.main import main
from tests.nas.data.photo_helpers import class_folders


@pytest.fixture(autouse=True)
def _photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """photos/ with a copy of another label, and a damaged file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKNAS_CACHE_DIR", str(tmp_path / "cache"))
    root = class_folders(Path("photos"), count=30)
    shutil.copy(root / "ant/000.png", root / "bee/copy.png")
    (root / "bee/broken.png").write_bytes(b"no picture")


def test_findings_are_printed_and_are_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "photos", "--input-size", "8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("photos: class folders; 61 photographs of 2 classes: ")
    assert lines[1].split() == ["class", "train", "val", "test"]
    assert [line.split()[0] for line in lines[2:4]] == ["ant", "bee"]
    conflict = lines.index("One picture with two labels: 1")
    assert lines[conflict + 1] == "  ant/000.png = bee/copy.png: exact copy, ant and bee"
    damaged = lines.index("Files that cannot be read: 1")
    assert lines[damaged + 1].startswith("  bee/broken.png: ")
    assert lines[-2] == "next: nas data check photos --input-size 8 --network photos"
    assert lines[-1] == "page: runs/data-check/photos/index.html"
    assert {file.name for file in Path("runs/data-check/photos").iterdir()} == {
        "index.html", "findings.csv", "data-check.json"
    }  # fmt: skip


def test_json_is_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data", "check", "imagefolder:photos", "--input-size", "8", "--out", "here", "--json"]
    assert main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(Path("here/data-check.json").read_text())
    assert printed["images"] == 61
    assert printed["counts"]["label conflict"] == printed["counts"]["unreadable"] == 1
    assert printed["copies"][0]["labels_differ"]
    assert printed["page"] == "here/index.html"


@pytest.mark.parametrize(
    "words",
    [
        ["nowhere"],
        ["empty"],
        ["photos", "--out", "photos/report"],
        ["photos", "--group-by", "("],
        ["photos", "--network", "nothing.pt"],
        ["photos", "--input-size", "0"],
        ["photos", "--out", "file/report"],
    ],
    ids=" ".join,
)
def test_a_wrong_request_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    Path("file").touch()
    assert main(["data", "check", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("nas: ")
    assert not Path("runs").exists()
