"""A bundle in the place of a former one: no file is lost without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

import nas
from blocks.errors import InvalidInput
from nas.exporting.replacing import appearing_whole, files_in, removed_line


def write(folder: Path, *names: str, text: str = "") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


MANIFEST = '{"artifacts": [{"files": [{"name": "model.onnx"}, {"name": "model.ncnn.bin"}]}]}'
FORMER = (
    "model.onnx", "model.ncnn.bin", "predict.py", "photo.py", "labels.txt",
    "examples/cpp/ncnn.cc", "examples/cpp/photo.h", "examples/microcontroller/photo.h",
)  # fmt: skip
OWN = ("notes.txt", "examples/browser/node_modules/a/a.js")


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """A bundle with two files of its owner's."""
    bundle = tmp_path / "bundle"
    write(bundle, *FORMER, *OWN, "__pycache__/runtime.pyc", text="former")
    (bundle / "manifest.json").write_text(MANIFEST)
    return bundle


def test_files_of_the_owner_stay_and_those_of_the_export_go(former: Path) -> None:
    before = files_in(former)
    new = ("manifest.json", "model.onnx", "predict.py", "photo.py", "labels.txt")
    with appearing_whole(former) as folder:
        write(folder, *new, text="new")
    assert files_in(former) == {*map(Path, (*new, *OWN))}
    assert (former / "notes.txt").read_text() == "former"
    assert (former / "model.onnx").read_text() == "new"
    assert removed_line(former, before) == (
        f"{former}: the former export is replaced; removed: examples/cpp, examples/microcontroller, "
        "model.ncnn.bin"
    )
    assert [path.name for path in former.parent.iterdir()] == ["bundle"]


def test_an_export_that_fails_changes_nothing(former: Path) -> None:
    before = files_in(former)
    with pytest.raises(InvalidInput), appearing_whole(former) as folder:
        nas.ArchSpec.from_yaml(folder / "no_such_file.yaml")
    assert files_in(former) == before
    assert [path.name for path in former.parent.iterdir()] == ["bundle"]


def test_nothing_is_said_when_nothing_goes(former: Path) -> None:
    assert removed_line(former, set()) == ""
    assert removed_line(former, files_in(former)) == ""
