"""Data sets of one's own: real PIL images and tensors, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from blocks import InvalidInput
from nas.data import DataConfig, load_data

CPU = torch.device("cpu")
TENSORS = """
import torch
from torch.utils.data import Dataset, TensorDataset
from nas.data import Datasets

def images(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return TensorDataset(torch.rand(count, 1, 8, 8, generator=generator), torch.arange(count) % 3)

class Noisy(Dataset):
    def __init__(self, inner): self.inner = inner
    def __len__(self): return len(self.inner)
    def __getitem__(self, row):
        image, label = self.inner[row]
        return (image + 0.01 * torch.rand(1)).clamp(0, 1), int(label)

def own():
    return Datasets(Noisy(images(50, 0)), images(20, 1), images(10, 2), ["a", "b", "c"], crop_padding=1)
"""
PICTURES = """
import numpy as np
from PIL import Image
from nas.data import Datasets

class Pictures:
    def __init__(self, count, mode="RGB"): self.count, self.mode = count, mode
    def __len__(self): return self.count
    def __getitem__(self, row):
        rng = np.random.default_rng(row)
        pixels = rng.integers(0, 256, (20 + row, 30, 3), dtype=np.uint8)
        return Image.fromarray(pixels).convert(self.mode), row % 2

def colour(): return Datasets(Pictures(12), Pictures(6), Pictures(4), ("x", "y"))
def grey(config): return Pictures(12, "L"), Pictures(6), Pictures(4), [config.name, "y"]
"""


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tensors.py").write_text(TENSORS)
    Path("pictures.py").write_text(PICTURES)


def test_tensors() -> None:
    data = load_data(DataConfig(name="tensors.py:own", workers=0, flip=False, crop_padding=0))
    info = data.info
    assert (info.num_classes, info.in_channels, info.input_size) == (3, 1, 8)
    assert (info.train_images, info.val_images, info.test_images) == (50, 20, 10)
    assert info.mean[0] == pytest.approx(0.5, abs=0.02)
    assert info.std[0] == pytest.approx(12**-0.5, abs=0.02)
    images, labels = next(iter(data.val_batches(32, CPU)))
    assert images.shape == (20, 1, 8, 8)
    assert labels.tolist() == [row % 3 for row in range(20)]
    generator = torch.Generator().manual_seed(1)
    expected = torch.rand(20, 1, 8, 8, generator=generator)
    torch.testing.assert_close(
        images, (expected - info.mean[0]) / info.std[0], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("name", ["tensors.py:own", "pictures.py:colour", "pictures.py:grey"])
@pytest.mark.integration
def test_an_epoch_follows_from_seed_and_number_alone(name: str) -> None:
    def epoch(seed: int, number: int, workers: int) -> torch.Tensor:
        config = DataConfig(name=name, workers=workers, scale_jitter=0.5)
        if name.startswith("pictures"):
            config = config.model_copy(update={"input_size": 16})
        batches = load_data(config).train_batches(8, seed, CPU)
        batches.set_epoch(number)
        return torch.cat([images for images, _ in batches])

    first = epoch(0, 1, 0)
    assert torch.equal(first, epoch(0, 1, 2))
    assert not torch.equal(first, epoch(0, 2, 0))
    assert not torch.equal(first, epoch(1, 1, 0))


def test_shares_are_parts_of_the_batch() -> None:
    batches = load_data(DataConfig(name="tensors.py:own", workers=0)).train_batches(8, 0, CPU)
    parts = [list(batches.share(rank, 3)) for rank in range(3)]
    for number, (images, labels) in enumerate(batches):
        assert torch.equal(torch.cat([part[number][0] for part in parts]), images)
        assert torch.equal(torch.cat([part[number][1] for part in parts]), labels)


def test_balanced_classes() -> None:
    data = load_data(DataConfig(name="tensors.py:own", workers=0, limit=10, epoch_images=9))
    batches = data.train_batches(3, 0, CPU, balanced=True)
    labels = torch.cat([labels for _, labels in batches])
    assert labels.bincount().tolist() == [3, 3, 3]
    batches.set_epoch(1)
    again = torch.cat([labels for _, labels in batches])
    assert not torch.equal(labels, again)


def test_limits_and_a_full_training() -> None:
    data = load_data(
        DataConfig(name="tensors.py:own", workers=0, limit=16, val_limit=5, epoch_images=8)
    )
    assert (data.info.train_images, data.info.val_images) == (16, 5)
    assert sum(len(labels) for _, labels in data.train_batches(4, 0, CPU)) == 8
    assert sum(len(labels) for _, labels in data.train_batches(3, 0, CPU, full=True)) == 21


def test_pil_images_are_cropped_like_those_of_a_folder() -> None:
    data = load_data(DataConfig(name="pictures.py:colour", workers=0, input_size=16))
    assert (data.info.in_channels, data.info.input_size, data.info.resize) == (3, 16, 18)
    assert [images.shape[1:] for images, _ in data.train_batches(4, 0, CPU)] == [(3, 16, 16)] * 3
    grey = load_data(DataConfig(name="pictures.py:grey", workers=0, input_size=16))
    assert grey.info.in_channels == 1
    assert grey.info.class_names[0] == "pictures.py:grey"
    assert next(iter(grey.test_batches(4, CPU)))[0].shape == (4, 1, 16, 16)  # colour, made grey


BROKEN = """
import torch
from torch.utils.data import Dataset, TensorDataset
from nas.data import Datasets

class Items(Dataset):
    def __init__(self, change=None, count=8): self.change, self.count = change, count
    def __len__(self): return self.count
    def __getitem__(self, row):
        item = torch.full((3, 8, 8), 0.5), row % 2
        return self.change(item) if self.change and row == 5 else item

def fail(item): raise (KeyError("lost") if item[1] else OSError("disk gone."))
class Named(Items): classes = ["a", "c"]
good, names = Items(), ["a", "b"]

def raises(): 1 / 0
def nothing(): pass
def empty(): return Datasets(good, Items(count=0), good, names)
def classes(): return Datasets(good, good, Named(), names)
def one_class(): return Datasets(good, good, good, ["a"])
def no_map(): return Datasets(iter([]), good, good, names)
def label(): return Datasets(good, Items(lambda i: (i[0], 2)), good, names)
def fraction(): return Datasets(good, Items(lambda i: (i[0], 0.5)), good, names)
def shape(): return Datasets(Items(lambda i: (i[0][:, 1:], 0)), good, good, names)
def nan(): return Datasets(Items(lambda i: (i[0] * float("nan"), 0)), good, good, names)
def range_(): return Datasets(Items(lambda i: (i[0] * 510, 0)), good, good, names)
def triple(): return Datasets(good, good, Items(lambda i: (*i, 3)), names)
def kind(): return Datasets(good, good, Items(lambda i: ([1], 3)), names)
def lost(): return Datasets(good, Items(fail), good, names)
def needs(a, b): pass
def array(): return Datasets(good, good, Items(lambda i: (i[0].numpy(), 1)), names)
def gone(): return Datasets(good, Items(lambda i: fail((0, 0))), good, names)
thing = 3
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raises", r"broken\.py, line 17: ZeroDivisionError"),
        ("nothing", "returns a NoneType; expected nas.Datasets"),
        ("empty", r"broken\.py, line 19: val is empty; expected at least one item"),
        (
            "classes",
            r"test has the classes \['a', 'c'\], class_names is \['a', 'b'\]; expected the same",
        ),
        ("one_class", "expected a list of two or more different names"),
        ("no_map", "expected a map-style"),
        ("label", r"broken\.py, line 23: val\[5\]: label 2; expected an integer from 0 to 1"),
        ("fraction", r"val\[5\]: label 0.5; expected"),
        ("shape", r"train\[5\]: a tensor of shape \(3, 7, 8\); expected \(3, 8, 8\)"),
        ("nan", r"train\[5\]: values from NaN to NaN; expected \[0, 1\]"),
        ("range_", r"train\[5\]: values from 255 to 255; expected \[0, 1\]"),
        ("triple", r"test\[5\] is 3 values; expected a pair"),
        ("kind", r"test\[5\]: a list; expected a tensor, as train\[0\] is one"),
        ("lost", r"broken\.py, line 13: val\[5\] raises KeyError: 'lost'; expected a pair"),
        ("gone", r"val\[5\] raises OSError: disk gone; expected a pair"),
        ("array", r"test\[5\]: an ndarray; expected a tensor"),
        ("needs", "it needs 2 arguments"),
        ("thing", "an int; expected a callable that returns nas.Datasets"),
    ],
)
def test_what_is_wrong_is_said_before_training(name: str, said: str) -> None:
    Path("broken.py").write_text(BROKEN)
    with pytest.raises(InvalidInput, match=said) as caught:
        load_data(DataConfig(name=f"broken.py:{name}", workers=0))
    assert "\n" not in str(caught.value)
    assert f"broken.py:{name}" in str(caught.value)
