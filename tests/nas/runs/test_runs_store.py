"""Files in a store: a folder, and a server that speaks S3."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO

import pytest

from blocks import InvalidInput
from nas.runs import Store

FILE = Path("runs/first/trials/0003/checkpoint.pt")


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    url = (
        str(tmp_path / "store") if request.param == "folder" else request.getfixturevalue("bucket")
    )
    return Store.checked(url)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def test_a_file_comes_back_on_another_machine_as_it_was(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 30_000  # more than one part of an upload
    FILE.parent.mkdir(parents=True)
    FILE.write_bytes(content)
    store.put(FILE)
    monkeypatch.chdir(tmp_path)
    assert Store(store.url).get(FILE)
    assert FILE.read_bytes() == content


def test_a_file_that_is_not_there_is_told_and_leaves_nothing(store: Store) -> None:
    other = Path("runs/second/metrics.jsonl")
    assert not store.get(other)
    assert not other.exists()
    assert store.read(other) == ""


def test_what_another_machine_writes_is_seen_at_once(store: Store) -> None:
    text = Path("runs/first/attempt")
    store.write(text, "one")
    assert store.read(text) == "one"
    Store(store.url).write(text, "two")
    assert store.read(text) == "two"


def test_a_write_that_breaks_off_leaves_the_old_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(source: IO[bytes], target: IO[bytes]) -> None:
        target.write(source.read(8_000_000))
        raise OSError("the disk is gone")

    FILE.parent.mkdir(parents=True)
    FILE.write_bytes(b"old")
    store.put(FILE)
    FILE.write_bytes(bytes(16_000_000))
    monkeypatch.setattr(shutil, "copyfileobj", half)
    with pytest.raises(OSError, match="the disk is gone"):
        store.put(FILE)
    assert store.read(FILE) == "old"


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside"])
def test_no_path_leaves_the_store(path: str, store: Store) -> None:
    with pytest.raises(ValueError, match="not a path below"):
        store.write(Path(path), "x")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nowhere://bucket", "Protocol not known: nowhere"),
        ("s3://no-such-bucket/x", "bucket does not exist"),
        ("/proc/nobody/may/write/here", "No such file"),
    ],
)
def test_a_store_that_cannot_be_used_is_said_in_one_line(url: str, why: str, bucket: str) -> None:
    with pytest.raises(InvalidInput, match=why) as error:
        Store.checked(url)
    assert str(error.value).startswith(f"checkpoints: {url}: ")
    assert "\n" not in str(error.value)
