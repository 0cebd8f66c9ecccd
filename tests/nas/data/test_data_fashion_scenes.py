from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.errors import InvalidInput
from nas.data import DataConfig, fashion_mnist, load_data
from nas.data.fashion_mnist import read_fashion_mnist
from nas.data.fashion_scenes import OPAQUE, Part, compose, targets
from nas.data.labelled import LabelledImages

needs_images = pytest.mark.skipif(
    not fashion_mnist.SYSTEM_DIR.is_dir(),
    reason="the Debian package dataset-fashion-mnist is not installed",
)


def squares(count: int) -> LabelledImages:
    """Objects that fill their image, each of one brightness."""
    levels = (50 + torch.arange(count) % 200).byte()
    images = levels[:, None, None, None].expand(count, 1, 28, 28).contiguous()
    return LabelledImages(images, torch.arange(count) % 10)


@given(part=st.sampled_from(["train", "test"]), size=st.integers(48, 128))
@settings(max_examples=20, deadline=None)
def test_targets_lie_in_the_scene_at_sides_from_a_fifth_to_all_of_it(part: Part, size: int) -> None:
    place = targets(part, 3000, size)
    assert int(place.side.min()) == round(size / 5)
    assert int(place.side.max()) == size
    assert int(place.top.min()) == int(place.left.min()) == 0
    assert bool((place.top + place.side <= size).all())
    assert bool((place.left + place.side <= size).all())
    # Log-uniform: as many between a fifth and the geometric mean as above it.
    below = float((place.side < size * 0.2**0.5).float().mean())
    assert 0.45 < below < 0.55


@given(size=st.integers(48, 96))
@settings(max_examples=5, deadline=None)
def test_the_target_is_whole_and_in_front(size: int) -> None:
    objects = squares(60)
    scenes = compose(objects, "train", size)
    place = targets("train", 60, size)
    assert scenes.images.shape == (60, 1, size, size)
    assert torch.equal(scenes.labels, objects.labels)
    for row in range(60):
        top, left, side = int(place.top[row]), int(place.left[row]), int(place.side[row])
        seen = scenes.images[row, 0, top : top + side, left : left + side]
        assert bool((seen == objects.images[row, 0, 0, 0]).all())


def test_scenes_are_the_same_again_and_differ_between_the_parts() -> None:
    objects = squares(50)
    first = compose(objects, "train").images
    assert torch.equal(first, compose(objects, "train").images)
    assert not torch.equal(first, compose(objects, "test").images)


def test_dark_pixels_of_an_object_show_what_is_behind() -> None:
    dark = LabelledImages(
        torch.full((20, 1, 28, 28), OPAQUE, dtype=torch.uint8), torch.zeros(20).long()
    )
    scenes = compose(dark, "train").images
    assert len(scenes.unique()) > 20  # the ground; an opaque target would fill the largest scenes


@needs_images
def test_a_part_is_made_of_its_own_images_alone() -> None:
    _, test = read_fashion_mnist(None)
    data = load_data(DataConfig(name="fashion_scenes", limit=100, val_limit=100))
    assert (data.info.input_size, data.info.in_channels, data.info.num_classes) == (64, 1, 10)
    assert (data.info.train_images, data.info.val_images, data.info.test_images) == (
        100,
        100,
        10_000,
    )
    batches = list(data.test_batches(500, torch.device("cpu")))
    assert torch.equal(torch.cat([labels for _, labels in batches]), test.labels)
    mean, std = data.info.mean[0], data.info.std[0]
    shown = ((torch.cat([images for images, _ in batches[:2]]) * std + mean) * 255).round().byte()
    assert torch.equal(shown, compose(test, "test").images[:1000])


@needs_images
def test_sizes_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"input_size is 32.*allowed are 48 to 128"):
        load_data(DataConfig(name="fashion_scenes", input_size=32))
    data = load_data(DataConfig(name="fashion_scenes", input_size=48, limit=10, val_limit=10))
    assert data.info.input_size == 48
