from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.data.augment import crop_images, flip_images, normalise, pad_images, paste_scaled

SIZES = st.integers(2, 9)
PADDINGS = st.integers(0, 3)
SCALES = st.floats(0.2, 1.0)
PLACES = st.floats(-1.0, 1.0)
SEEDS = st.integers(0, 2**32 - 1)

# The time of the first example includes the start of libraries, so a deadline would be a race.
examples = settings(deadline=None, max_examples=50)


def random_images(seed: int, count: int, channels: int, size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, channels, size, size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


@examples
@given(SEEDS, SIZES, PADDINGS, st.sampled_from([1, 3]))
def test_crop_is_the_window_at_its_corner(
    seed: int, size: int, padding: int, channels: int
) -> None:
    padded = pad_images(random_images(seed, 5, channels, size), padding)
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(0, 5, (7,), generator=generator)
    corners = torch.randint(0, 2 * padding + 1, (7, 2), generator=generator)
    crops = crop_images(padded, rows, corners, size)
    assert crops.shape == (7, channels, size, size)
    for crop, row, (top, left) in zip(crops, rows.tolist(), corners.tolist(), strict=True):
        assert torch.equal(crop, padded[row, :, top : top + size, left : left + size])


@examples
@given(SEEDS, SIZES, PADDINGS)
def test_padding_is_black_and_keeps_the_image(seed: int, size: int, padding: int) -> None:
    images = random_images(seed, 2, 3, size)
    padded = pad_images(images, padding)
    middle = torch.full((2, 2), padding)
    assert torch.equal(crop_images(padded, torch.arange(2), middle, size), images)
    assert padded.sum() == images.sum()


@examples
@given(SEEDS, SIZES)
def test_flipping_twice_changes_nothing(seed: int, size: int) -> None:
    images = random_images(seed, 6, 3, size)
    flip = torch.rand(6, generator=torch.Generator().manual_seed(seed)) < 0.5
    assert torch.equal(flip_images(flip_images(images, flip), flip), images)


def test_flip_mirrors_only_the_chosen_images() -> None:
    images = torch.arange(12, dtype=torch.uint8).reshape(2, 1, 2, 3)
    flipped = flip_images(images, torch.tensor([True, False]))
    assert flipped[0, 0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert torch.equal(flipped[1], images[1])


@examples
@given(SEEDS, SIZES, PLACES)
def test_pasting_at_scale_one_changes_nothing(seed: int, size: int, place: float) -> None:
    images = random_images(seed, 3, 2, size).float()
    pasted = paste_scaled(images, torch.ones(3), torch.full((3, 2), place))
    assert torch.allclose(pasted, images, atol=1e-2)


@examples
@given(SCALES, PLACES, PLACES)
def test_pasted_object_stays_inside_the_canvas(
    scale: float, vertical: float, horizontal: float
) -> None:
    canvas = 64
    image = torch.full((1, 1, canvas, canvas), 255.0)
    pasted = paste_scaled(image, torch.tensor([scale]), torch.tensor([[vertical, horizontal]]))
    for place, dim in ((vertical, 1), (horizontal, 0)):
        lit = pasted[0, 0].amax(dim).nonzero().flatten()
        first, last = int(lit[0]), int(lit[-1]) + 1
        # The object is `side` pixels long and slides from one edge of the canvas to the other.
        side = scale * canvas
        start = (place + 1) / 2 * (canvas - side)
        assert first == pytest.approx(start, abs=1)
        assert last == pytest.approx(start + side, abs=1)


@examples
@given(st.floats(0.5, 1.0), PLACES, PLACES)
def test_mass_shrinks_with_the_square_of_the_scale(
    scale: float, vertical: float, horizontal: float
) -> None:
    axis = torch.linspace(-3, 3, 32)
    blob = torch.exp(-(axis[:, None] ** 2 + axis**2))[None, None] * 255
    pasted = paste_scaled(blob, torch.tensor([scale]), torch.tensor([[vertical, horizontal]]))
    assert float(pasted.sum() / blob.sum()) == pytest.approx(scale**2, rel=0.02)


def test_each_image_is_pasted_at_its_own_place() -> None:
    images = torch.full((2, 1, 8, 8), 100.0)
    places = torch.tensor([[-1.0, 1.0], [1.0, -1.0]])  # top right, bottom left
    pasted = paste_scaled(images, torch.tensor([0.5, 0.25]), places)
    assert pasted[0, 0, :4, 4:].min() > 0
    assert pasted[0, 0, 4:].max() == 0
    assert pasted[0, 0, :, :4].max() == 0
    assert pasted[1, 0, 6:, :2].min() > 0
    assert pasted[1, 0, :6].max() == 0
    assert pasted[1, 0, :, 2:].max() == 0


@examples
@given(SEEDS, SIZES, st.sampled_from([1, 3]))
def test_normalising_is_subtracting_the_mean_and_dividing_by_the_deviation(
    seed: int, size: int, channels: int
) -> None:
    images = random_images(seed, 4, channels, size)
    mean, std = torch.tensor([0.5, 0.4, 0.3][:channels]), torch.tensor([0.1, 0.2, 0.3][:channels])
    result = normalise(images, mean, std)
    expected = (images / 255 - mean[:, None, None]) / std[:, None, None]
    assert result.dtype == torch.float32
    assert torch.allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_normalised_images_have_the_strides_of_channels_last(channels: int) -> None:
    ones = torch.ones(channels)
    result = normalise(random_images(0, 2, channels, 5), ones, ones)
    assert result.stride() == (25 * channels, 1, 5 * channels, channels)
