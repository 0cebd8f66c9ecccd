from __future__ import annotations

import gzip
import struct
from collections import Counter
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from blocks.errors import InvalidInput
from nas.data import Data, DataConfig, fashion_mnist, load_data
from nas.data.idx import read_idx

CPU = torch.device("cpu")
PACKAGED = fashion_mnist.SYSTEM_DIR

needs_images = pytest.mark.skipif(
    not PACKAGED.is_dir(), reason="the Debian package dataset-fashion-mnist is not installed"
)


def idx_bytes(content: bytes, *sizes: int) -> bytes:
    return bytes((0, 0, 8, len(sizes))) + struct.pack(f">{len(sizes)}I", *sizes) + content


@pytest.fixture
def nothing_to_find(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without Fashion-MNIST and without a network; returns an empty folder."""

    def refuse(*_: object, **__: object) -> None:
        raise URLError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr(fashion_mnist, "SYSTEM_DIR", tmp_path / "package")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def clothes() -> Data:
    return load_data(DataConfig(name="fashion_mnist", flip=False, crop_padding=0))


def epoch_labels(data: Data, *, full: bool = False) -> torch.Tensor:
    return torch.cat([labels for _, labels in data.train_batches(5000, 0, CPU, full=full)])


def link_files(folder: Path, *, but: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in PACKAGED.iterdir():
        if not file.name.startswith(but) or not but:
            (folder / file.name).symlink_to(file)


@needs_images
def test_sizes_and_names(clothes: Data) -> None:
    info = clothes.info
    assert (info.train_images, info.val_images, info.test_images) == (50_000, 10_000, 10_000)
    assert (info.num_classes, info.in_channels, info.input_size) == (10, 1, 28)
    assert info.class_names[0] == "T-shirt/top"
    assert info.class_names[9] == "Ankle boot"
    # Published statistics of all 60,000 training images.
    assert info.mean == pytest.approx([0.2860], abs=0.002)
    assert info.std == pytest.approx([0.3530], abs=0.002)


@needs_images
def test_classes_are_balanced_in_every_split(clothes: Data) -> None:
    assert torch.bincount(epoch_labels(clothes)).tolist() == [5000] * 10
    assert torch.bincount(epoch_labels(clothes, full=True)).tolist() == [6000] * 10
    for batches in (clothes.val_batches(1000, CPU), clothes.test_batches(1000, CPU)):
        labels = torch.cat([labels for _, labels in batches])
        assert torch.bincount(labels).tolist() == [1000] * 10


@needs_images
def test_full_training_sees_each_published_training_image_once(clothes: Data) -> None:
    path = PACKAGED / "train-images-idx3-ubyte.gz"
    # The same random whole-number weights turn each image into one number to recognise it by.
    weights = torch.randint(2**40, (784,), generator=torch.Generator().manual_seed(0))
    published = read_idx(path, (60_000, 28, 28)).flatten(1)
    expected = Counter((published.long() @ weights).tolist())
    (mean,), (std,) = clothes.info.mean, clothes.info.std
    seen: Counter[int] = Counter()
    for images, _ in clothes.train_batches(6000, 0, CPU, full=True):
        raw = ((images * std + mean) * 255).round().long()
        seen.update((raw.flatten(1) @ weights).tolist())
    assert seen == expected


@needs_images
def test_test_images_are_the_published_ones_in_their_order(clothes: Data) -> None:
    images, labels = next(iter(clothes.test_batches(10_000, CPU)))
    (mean,), (std,) = clothes.info.mean, clothes.info.std
    raw = ((images * std + mean) * 255).round().byte()
    published = read_idx(PACKAGED / "t10k-images-idx3-ubyte.gz", (10_000, 28, 28))
    assert torch.equal(raw[:, 0], published)
    published_labels = read_idx(PACKAGED / "t10k-labels-idx1-ubyte.gz", (10_000,))
    assert torch.equal(labels, published_labels.long())


@needs_images
def test_defaults_flip_and_crop() -> None:
    data = load_data(DataConfig(name="fashion_mnist", limit=500))
    plain = load_data(DataConfig(name="fashion_mnist", limit=500, flip=False, crop_padding=0))
    images, _ = next(iter(data.train_batches(500, 0, CPU)))
    originals, _ = next(iter(plain.train_batches(500, 0, CPU)))
    padded = torch.nn.functional.pad(originals, (2, 2, 2, 2), value=float(originals.min()))
    found = torch.zeros(500, dtype=torch.bool)
    flipped = torch.zeros(500, dtype=torch.bool)
    for top in range(5):
        for left in range(5):
            window = padded[:, :, top : top + 28, left : left + 28]
            found |= (window == images).flatten(1).all(1)
            flipped |= (window.flip(-1) == images).flatten(1).all(1)
    assert bool((found | flipped).all())
    assert 150 < int(flipped.sum()) < 350


@needs_images
@pytest.mark.parametrize("below", [".", "FashionMNIST/raw"])
def test_files_are_found_in_data_dir_first(nothing_to_find: Path, below: str) -> None:
    link_files(nothing_to_find / below)
    data = load_data(DataConfig(name="fashion_mnist", data_dir=str(nothing_to_find), limit=10))
    assert data.info.test_images == 10_000


@needs_images
def test_unpacked_files_are_read(nothing_to_find: Path) -> None:
    link_files(nothing_to_find, but="t10k-labels")
    packed = PACKAGED / "t10k-labels-idx1-ubyte.gz"
    (nothing_to_find / "t10k-labels-idx1-ubyte").write_bytes(gzip.decompress(packed.read_bytes()))
    data = load_data(DataConfig(name="fashion_mnist", data_dir=str(nothing_to_find), limit=10))
    assert data.info.test_images == 10_000


@pytest.mark.parametrize("data_dir", ["given", None])
def test_missing_files_are_one_line_with_places_and_cure(
    nothing_to_find: Path, data_dir: str | None
) -> None:
    chosen = None if data_dir is None else str(nothing_to_find)
    with pytest.raises(InvalidInput, match="apt-get install dataset-fashion-mnist") as caught:
        load_data(DataConfig(name="fashion_mnist", data_dir=chosen))
    message = str(caught.value)
    assert "\n" not in message
    assert str(fashion_mnist.SYSTEM_DIR) in message
    assert ".cache/sknas" in message
    assert (str(nothing_to_find) in message) is (data_dir is not None)


@needs_images
def test_damaged_file_in_data_dir_is_named(nothing_to_find: Path) -> None:
    link_files(nothing_to_find, but="train-images")
    damaged = nothing_to_find / "train-images-idx3-ubyte.gz"
    whole = (PACKAGED / damaged.name).read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match=r"train-images-idx3-ubyte\.gz cannot be read"):
        load_data(DataConfig(name="fashion_mnist", data_dir=str(nothing_to_find)))


@needs_images
def test_label_out_of_range_is_refused(nothing_to_find: Path) -> None:
    link_files(nothing_to_find, but="t10k-labels")
    labels = nothing_to_find / "t10k-labels-idx1-ubyte"
    labels.write_bytes(idx_bytes(bytes([11]) * 10_000, 10_000))
    with pytest.raises(InvalidInput, match="holds the label 11; Fashion-MNIST has the labels 0"):
        load_data(DataConfig(name="fashion_mnist", data_dir=str(nothing_to_find)))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_file_is_read_in_row_order(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"numbers{suffix}"
    content = idx_bytes(bytes(range(6)), 2, 3)
    path.write_bytes(gzip.compress(content) if suffix else content)
    read = read_idx(path, (2, 3))
    assert read.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read.dtype == torch.uint8


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is not an idx file of bytes with 2 dimensions"),
        (b"\x00\x00\x08\x02\x00\x00", "is not an idx file of bytes with 2 dimensions"),
        (b"\x00\x00\x0d\x02" + bytes(14), "is not an idx file of bytes with 2 dimensions"),
        (idx_bytes(bytes(6), 6), "is not an idx file of bytes with 2 dimensions"),
        (idx_bytes(bytes(6), 3, 2), r"has the sizes \(3, 2\) instead of \(2, 3\)"),
        (idx_bytes(bytes(5), 2, 3), "holds 5 bytes of data instead of 6"),
        (idx_bytes(bytes(7), 2, 3), "holds 7 bytes of data instead of 6"),
    ],
)
def test_damaged_idx_file_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=f"damaged {complaint}.*; delete it and get it again"):
        read_idx(path, (2, 3))


@pytest.mark.parametrize(
    "content",
    # No time in it: a test has the same name in every process.
    [b"not compressed", b"", gzip.compress(bytes(99), mtime=0)[:-9]],
    ids=["not compressed", "empty", "cut off"],
)
def test_damaged_compression_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.gz"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"damaged\.gz .*; delete it and get it again"):
        read_idx(path, (2, 3))


def test_missing_idx_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="absent cannot be read"):
        read_idx(tmp_path / "absent", (2, 3))
