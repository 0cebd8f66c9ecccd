"""TrivialAugment: its operations, its seeds, and its place in the batches of each kind of data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from blocks import InvalidInput
from nas.data import Batches, DataConfig, load_data
from nas.data.trivial_augment import _WIDE, trivial_augment, trivial_augment_tensor
from nas.training import Recipe
from nas.training.checks import check_augment

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
OWN = """
import torch
import nas

def sets():
    images = torch.rand(40, {channels}, 12, 12, generator=torch.Generator().manual_seed(0))
    images = images if {floating} else (images * 255).to(torch.uint8)
    items = [(image, number % 2) for number, image in enumerate(images)]
    return nas.Datasets(items, items[:4], items[:4], ["a", "b"], flip=False, crop_padding=0)
"""


def epoch(batches: Batches, number: int = 0) -> Tensor:
    batches.sampler.set_epoch(number)
    return torch.cat([images for images, _ in batches])


@pytest.fixture
def photographs(tmp_path: Path) -> str:
    rng = np.random.default_rng(1)
    for label in "ab":
        for split, count in (("train", 8), ("val", 2), ("test", 2)):
            folder = tmp_path / "photos" / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return str(tmp_path / "photos")


def test_it_is_torchvisions_when_both_draw_alike() -> None:
    theirs = v2.TrivialAugmentWide()
    for seed in range(60):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            wanted = np.asarray(theirs(Image.fromarray(PIXELS)))
        name, strength = _WIDE.draw(24, torch.Generator().manual_seed(seed))
        got = np.asarray(_WIDE.apply(Image.fromarray(PIXELS), name, strength))
        assert np.array_equal(got, wanted), name


def test_every_operation_is_drawn_and_a_seed_always_draws_the_same() -> None:
    drawn = Counter(_WIDE.draw(24, torch.Generator().manual_seed(seed))[0] for seed in range(1400))
    assert set(drawn) == set(v2.TrivialAugmentWide._AUGMENTATION_SPACE)
    assert max(drawn.values()) < 2 * min(drawn.values())
    state = torch.get_rng_state()
    assert np.array_equal(trivial_augment(PIXELS, 5), trivial_augment(PIXELS, 5))
    assert torch.equal(torch.get_rng_state(), state)  # nothing is drawn elsewhere


@pytest.mark.parametrize("channels", [1, 3])
def test_tensors_keep_their_form(channels: int) -> None:
    image = torch.from_numpy(PIXELS[..., :channels].copy()).permute(2, 0, 1)
    for seed in range(30):
        whole, part = (
            trivial_augment_tensor(image, seed),
            trivial_augment_tensor(image / 255, seed),
        )
        assert (whole.shape, whole.dtype) == (image.shape, torch.uint8)
        assert torch.allclose(part, whole / 255, atol=1e-6)


def test_photographs_are_augmented_alike_by_any_number_of_threads(photographs: str) -> None:
    def batches(workers: int, augment: str = "trivial") -> Batches:
        config = DataConfig(
            name=photographs, input_size=16, workers=workers, cache_gb=0, flip=False
        )
        return load_data(config).train_batches(4, 3, CPU, augment=augment)  # type: ignore[arg-type]

    alone, standard = epoch(batches(0)), epoch(batches(0, "standard"))
    assert alone.shape == standard.shape
    assert not torch.equal(alone, standard)
    changed = (alone != standard).flatten(1).any(1)
    assert 0.5 < float(changed.float().mean()) <= 1  # some draw the identity
    assert torch.equal(alone, epoch(batches(2)))
    running = batches(0)
    epoch(running, 0), epoch(running, 1)
    assert torch.equal(epoch(running, 2), epoch(batches(0), 2))
    assert not torch.equal(epoch(running, 2), alone)


def test_images_in_memory_are_augmented_alike_by_several_processes() -> None:
    def batches() -> Batches:
        data = load_data(DataConfig(name="digits", limit=60))
        return data.train_batches(20, 3, CPU, augment="trivial")

    whole = epoch(batches(), 1)
    standard = load_data(DataConfig(name="digits", limit=60)).train_batches(20, 3, CPU)
    assert not torch.equal(whole, epoch(standard, 1))
    shares = []
    for rank in range(2):
        part = batches().share(rank, 2)
        part.sampler.set_epoch(1)
        shares.append([images for images, _ in part])
    together = torch.cat([torch.cat(pair) for pair in zip(*shares, strict=True)])
    assert torch.equal(whole, together)


@pytest.mark.parametrize("floating", [True, False])
def test_sets_of_ones_own_are_augmented_in_training_alone(
    floating: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN.format(channels=3, floating=floating))
    data = load_data(DataConfig(name="own.py:sets", workers=0))
    plain, trivial = (
        epoch(data.train_batches(8, 0, CPU, augment=one)) for one in ("standard", "trivial")
    )
    assert not torch.equal(plain, trivial)
    assert torch.equal(trivial, epoch(data.train_batches(8, 0, CPU, augment="trivial")))
    again = epoch(data.plain_train_batches(8, CPU))
    assert sorted(plain.flatten(1).sum(1).tolist()) == pytest.approx(
        sorted(again.flatten(1).sum(1).tolist()), abs=1e-3
    )


def test_images_of_other_channels_are_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN.format(channels=4, floating=False))
    info = load_data(DataConfig(name="own.py:sets", workers=0)).info
    recipe = Recipe(
        epochs=1, batch_size=2, lr=0.1, weight_decay=0, schedule="constant", augment="trivial"
    )
    with pytest.raises(InvalidInput, match="have 4 channels; allowed: images of 1 or 3 channels"):
        check_augment(recipe, info)
    check_augment(recipe.model_copy(update={"augment": "standard"}), info)
