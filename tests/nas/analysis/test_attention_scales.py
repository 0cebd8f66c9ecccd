from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from blocks.errors import InvalidInput
from nas.analysis.scales import check_scales, enlarge


def test_scale_1_leaves_the_images_as_they_are() -> None:
    images = torch.randn(2, 3, 16, 16)
    assert enlarge(images, 1.0) is images


@pytest.mark.parametrize(
    ("side", "scale"), [(16, 1.5), (16, 2.0), (28, 1.5), (32, 1.25), (15, 3.0)]
)
def test_enlarging_the_whole_image_and_cutting_its_middle_is_the_same(
    side: int, scale: float
) -> None:
    images = torch.randn(2, 3, side, side, dtype=torch.float64)
    whole = functional.interpolate(images, scale_factor=scale, mode="bilinear", align_corners=False)
    margin = (whole.shape[-1] - side) // 2
    assert 2 * margin + side == whole.shape[-1]
    middle = whole[..., margin : margin + side, margin : margin + side]
    torch.testing.assert_close(enlarge(images, scale), middle)


@pytest.mark.parametrize("scale", [1.0, 1.1, 1.5, 1.7, 2.0, 4.0])
@pytest.mark.parametrize("side", [9, 16])
def test_a_pixel_at_distance_d_of_the_centre_comes_from_distance_d_by_scale(
    side: int, scale: float
) -> None:
    # Of an image whose values are its coordinates, linear interpolation gives the coordinates looked at.
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    coordinates = torch.stack([rows, columns])[None].double()
    centre = (side - 1) / 2
    expected = centre + (coordinates - centre) / scale
    torch.testing.assert_close(enlarge(coordinates, scale), expected)


def test_a_square_in_the_middle_grows_and_the_rim_goes() -> None:
    images = torch.zeros(1, 1, 16, 16)
    images[..., 6:10, 6:10] = 1
    images[..., 0, :] = images[..., :, -1] = 5
    enlarged = enlarge(images, 2.0)
    assert float(enlarged.max()) == 1
    assert float(enlarged.sum()) == pytest.approx(4 * 16)
    assert float(enlarged[..., 5:11, 5:11].min()) == 1


def test_type_and_layout_are_kept() -> None:
    images = torch.randn(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    enlarged = enlarge(images, 1.5)
    assert enlarged.is_contiguous(memory_format=torch.channels_last)
    assert (enlarged.shape, enlarged.dtype) == (images.shape, images.dtype)


def test_scales_come_once_and_in_order() -> None:
    assert check_scales([2.0, 1.0, 1.5, 2.0], 16) == (1.0, 1.5, 2.0)


@pytest.mark.parametrize(
    ("scales", "says"),
    [
        ([1.0, 0.5], "--scales 0.5: allowed: 1 to 8 for 16 pixels"),
        ([1.0, 9.0], "--scales 9: allowed: 1 to 8"),
        ([1.0, float("nan")], "--scales nan: allowed"),
        ([1.0, float("inf")], "--scales inf: allowed"),
        ([1.5, 2.0], "allowed: 1.0, the reference, and"),
        ([1.0], "at least one other scale"),
        ([1.0, 1.0], "at least one other scale"),
    ],
)
def test_other_scales_are_refused(scales: list[float], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        check_scales(scales, 16)
