from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from nas.data import DataConfig, load_data, photo_cache, photo_room
from nas.data.image_files import PhotoFiles
from nas.data.photo_cache import PhotoCache, open_cache
from nas.data.photo_index import Row, read_rows
from nas.folders import cache_dir

CPU = torch.device("cpu")
SIDE = 24


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of caches of the test's own."""
    monkeypatch.setenv("SKNAS_CACHE_DIR", str(tmp_path / "caches"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path / "caches"


def write(path: Path, seed: int, size: tuple[int, int] = (60, 45)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Photographs, the last two smaller than what is kept of the others."""
    sizes = [(60, 45), (45, 60), (300, 200), (24, 24), (10, 7)]
    names = ("a.png", "b.jpg", "c.jpg", "d.png", "e.png")
    return [
        write(tmp_path / "set" / name, seed, size)
        for seed, (name, size) in enumerate(zip(names, sizes, strict=True))
    ]


def opened(photos: list[Path], gigabytes: float = 1.0, side: int = SIDE) -> PhotoCache:
    return open_cache(photos[0].parent, photos, side, gigabytes)


def entry() -> Path:
    (folder,) = [one for one in (cache_dir() / "photos").iterdir() if one.is_dir()]
    return folder


def rows() -> dict[str, Row]:
    return read_rows(entry() / "index.jsonl", entry() / "pixels.bin")


@pytest.mark.parametrize("gigabytes", [0, 1])
def test_pixels_are_those_of_the_files(photos: list[Path], gigabytes: float) -> None:
    for _ in range(2):
        cache, files = opened(photos, gigabytes), PhotoFiles(SIDE)
        for path in photos:
            assert np.array_equal(cache.pixels(path), files.pixels(path))
    assert [row.offset >= 0 for row in rows().values()] == [gigabytes > 0] * len(photos)


def test_nothing_is_read_twice(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    before = opened(photos)
    kept = [before.pixels(path).copy() for path in photos]
    monkeypatch.setattr(photo_cache, "PhotoFiles", None)
    again = opened(photos)
    assert all(np.array_equal(again.pixels(p), k) for p, k in zip(photos, kept, strict=True))


def test_nothing_is_written_to_the_folder_of_the_photographs(photos: list[Path]) -> None:
    opened(photos)
    assert sorted(photos[0].parent.iterdir()) == sorted(photos)


def test_a_changed_file_is_read_again(photos: list[Path]) -> None:
    old = opened(photos).pixels(photos[0]).copy()
    write(photos[0], 99)
    os.utime(photos[0], ns=(1, 1))
    new = opened(photos).pixels(photos[0])
    assert not np.array_equal(new, old)
    assert np.array_equal(new, PhotoFiles(SIDE).pixels(photos[0]))


def test_pixels_of_files_that_changed_do_not_pile_up(photos: list[Path]) -> None:
    opened(photos)
    size = (entry() / "pixels.bin").stat().st_size
    for change in range(8):
        for path in photos:
            os.utime(path, ns=(change, change))
        cache = opened(photos)
        assert all(np.array_equal(cache.pixels(p), PhotoFiles(SIDE).pixels(p)) for p in photos)
        assert (entry() / "pixels.bin").stat().st_size <= 3 * size


def test_damaged_files_are_all_named_and_a_repaired_one_is_read(photos: list[Path]) -> None:
    whole = photos[1].read_bytes()
    photos[1].write_bytes(whole[: len(whole) // 2])
    photos[3].unlink()
    for _ in range(2):
        cache = opened(photos)
        assert list(cache.damaged) == [photos[1], photos[3]]
        assert "truncated" in cache.damaged[photos[1]]
        assert cache.damaged[photos[3]] == "No such file or directory"
    photos[1].write_bytes(whole)
    assert list(opened(photos).damaged) == [photos[3]]


def test_what_does_not_fit_is_read_from_the_files(
    photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    cache = opened(photos, 3e-6)  # 3,000 bytes
    (line,) = capsys.readouterr().err.splitlines()
    assert "photographs are not kept decoded (the cache of 3e-06 GB is full)" in line
    assert 0 < (entry() / "pixels.bin").stat().st_size <= 3000
    for path in photos:
        assert np.array_equal(cache.pixels(path), PhotoFiles(SIDE).pixels(path))
    opened(photos, 3e-6)
    assert not capsys.readouterr().err
    opened(photos, 1)  # a larger cache takes the others, too
    assert all(row.offset >= 0 for row in rows().values())


def test_old_caches_make_room_but_none_in_use(tmp_path: Path, photos: list[Path]) -> None:
    sets = {}
    for name in "uvw":
        paths = [write(tmp_path / name / f"{k}.png", k) for k in range(4)]
        sets[name] = paths
    size = sum(opened(sets["u"]).pixels(path).nbytes for path in sets["u"])
    held = opened(sets["v"])
    limit = 2.5 * size / 1e9
    opened(sets["w"], limit)  # 3 sets do not fit; u is not in use
    folders = [one for one in (cache_dir() / "photos").iterdir() if one.is_dir()]
    assert len(folders) == 2
    assert all(np.array_equal(held.pixels(p), PhotoFiles(SIDE).pixels(p)) for p in sets["v"])
    del held


def test_a_cache_that_is_removed_while_it_is_used(photos: list[Path]) -> None:
    cache = opened(photos)
    subprocess.run(["rm", "-rf", str(cache_dir())], check=True)
    assert np.array_equal(cache.pixels(photos[0]), PhotoFiles(SIDE).pixels(photos[0]))
    assert np.array_equal(opened(photos).pixels(photos[0]), cache.pixels(photos[0]))


def test_a_cache_that_is_removed_while_it_is_made(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Removing(PhotoFiles):
        def pixels(self, path: Path) -> NDArray[np.uint8]:
            if path == photos[2]:
                subprocess.run(["rm", "-rf", str(cache_dir())], check=True)
            return super().pixels(path)

    monkeypatch.setattr(photo_cache, "PhotoFiles", Removing)
    cache = opened(photos)
    assert not cache.damaged
    assert np.array_equal(cache.pixels(photos[0]), PhotoFiles(SIDE).pixels(photos[0]))
    assert len(capsys.readouterr().err.splitlines()) <= 1


def test_a_cache_that_cannot_be_written_is_one_line(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SKNAS_CACHE_DIR", str(photos[0]))  # a file
    for _ in range(2):
        cache = opened(photos)
        assert np.array_equal(cache.pixels(photos[0]), PhotoFiles(SIDE).pixels(photos[0]))
    (line,) = capsys.readouterr().err.splitlines()
    assert "not kept decoded, but read from their files: Not a directory" in line


def test_a_full_disk_is_one_line(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(photo_room, "LEAST_FREE", 10**18)
    cache = opened(photos)
    (line,) = capsys.readouterr().err.splitlines()
    assert "5 of 5 photographs are not kept decoded (less than 1 GB of the disk is free)" in line
    assert np.array_equal(cache.pixels(photos[0]), PhotoFiles(SIDE).pixels(photos[0]))
    opened(photos)
    assert not capsys.readouterr().err  # nor is anything read again
    monkeypatch.setattr(photo_room, "LEAST_FREE", 0)
    opened(photos)  # until there is room
    assert all(row.offset >= 0 for row in rows().values())


@pytest.mark.parametrize("torn", [b'["x', b"\n\n", b"[1, 2]\n", b'["a", 1, 2, 0, 999, 999, 1]\n'])
def test_a_torn_index_is_read_as_far_as_it_goes(photos: list[Path], torn: bytes) -> None:
    opened(photos[:3])
    with (entry() / "index.jsonl").open("ab") as file:
        file.write(torn)
    with (entry() / "pixels.bin").open("ab") as file:
        file.write(b"half a photograph")
    cache = opened(photos)
    for path in photos:
        assert np.array_equal(cache.pixels(path), PhotoFiles(SIDE).pixels(path))
    assert len(rows()) == len(photos)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode("Fotografía 写真 ".encode() + b"\xff.png")
    paths = [write(tmp_path / "set" / name, 1)]
    for _ in range(2):
        assert np.array_equal(opened(paths).pixels(paths[0]), PhotoFiles(SIDE).pixels(paths[0]))


BUILD = """
import sys
from pathlib import Path
from nas.data import photo_cache
photo_cache.FLUSH_EVERY = 5
paths = sorted(Path(sys.argv[1]).iterdir())
cache = photo_cache.open_cache(Path(sys.argv[1]), paths, 24, 1)
print(len(cache.damaged), sum(int(cache.pixels(p).sum()) for p in paths))
"""


@pytest.mark.integration
def test_a_killed_pass_goes_on_where_it_was(tmp_path: Path) -> None:
    paths = [write(tmp_path / "set" / f"{k:03d}.png", k, (900, 700)) for k in range(60)]
    process = subprocess.Popen([sys.executable, "-c", BUILD, str(tmp_path / "set")])
    index = None
    while process.poll() is None and index is None:
        time.sleep(0.02)
        found = list(cache_dir().glob("photos/*/index.jsonl"))
        index = found[0] if found and found[0].stat().st_size else None
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(rows())
    assert kept >= 5
    cache = opened(paths)
    assert len(rows()) == 60
    assert all(np.array_equal(cache.pixels(p), PhotoFiles(SIDE).pixels(p)) for p in paths[::7])


@pytest.mark.integration
def test_several_processes_read_every_photograph_once(tmp_path: Path) -> None:
    for k in range(40):
        write(tmp_path / "set" / f"{k:03d}.png", k, (300, 200))
    command = [sys.executable, "-c", BUILD, str(tmp_path / "set")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {process.communicate()[0] for process in running}
    assert all(process.returncode == 0 for process in running)
    assert len(said) == 1
    lines = (entry() / "index.jsonl").read_text().split("\n")
    assert len([line for line in lines if line]) == 40


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_do_not_depend_on_the_cache(tmp_path: Path, workers: int) -> None:
    for part, count in (("train", 8), ("val", 3)):
        for label, name in enumerate(("ant", "bee")):
            for k in range(count):
                size = (40 + 30 * k, 200 - 20 * k)
                write(tmp_path / "set" / part / name / f"{k}.jpg", 100 * label + k, size)

    def batches(gigabytes: float) -> list[torch.Tensor]:
        config = DataConfig(
            name=f"imagefolder:{tmp_path / 'set'}", input_size=32, workers=workers,
            cache_gb=gigabytes,
        )  # fmt: skip
        data = load_data(config)
        taken = [data.train_batches(4, 0, CPU), data.val_batches(4, CPU), data.test_batches(4, CPU)]
        return [images for part in taken for images, _ in part]

    kept, read = batches(1), batches(0)
    assert all(torch.equal(one, other) for one, other in zip(kept, read, strict=True))
