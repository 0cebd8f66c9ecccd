from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import functional as image_functional

from nas.data import photo
from nas.data.image_files import crop_box
from nas.data.photo import PhotoError, centre_crop, read_photo, read_reduced

ORIENTATION = 0x112
# What a camera that is held otherwise stores; a viewer undoes it.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
EXACT = [
    *product(["png"], ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]),
    *product(["tif"], ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"]),
    *product(["webp"], ["RGB", "RGBA"]),
]
LOSSY = [*product(["jpg"], ["L", "RGB", "CMYK"]), ("avif", "RGB")]


def picture(mode: str, width: int = 33, height: int = 20) -> Image.Image:
    generator = np.random.default_rng(0)
    if mode == "I;16":
        return Image.fromarray(generator.integers(0, 65536, (height, width)).astype(np.uint16))
    return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(
        mode
    )


def stored(image: Image.Image, orientation: int, path: Path) -> Path:
    turn = STORED[orientation]
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    turned = image if turn is None else image.transpose(turn)
    turned.save(path, exif=tags, lossless=True)  # of WebP; the other formats do not look at it
    return path


def pixels(path: Path, side: int | None = None) -> NDArray[np.uint8]:
    return np.asarray(read_reduced(path, side))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("suffix", "mode"), EXACT)
def test_every_orientation_of_every_kind_is_the_upright_picture(
    suffix: str, mode: str, orientation: int, tmp_path: Path
) -> None:
    upright = stored(picture(mode), 1, tmp_path / f"upright.{suffix}")
    turned = stored(picture(mode), orientation, tmp_path / f"turned.{suffix}")
    assert np.array_equal(pixels(turned), pixels(upright))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("suffix", "mode"), LOSSY)
def test_every_orientation_of_lossy_files(
    suffix: str, mode: str, orientation: int, tmp_path: Path
) -> None:
    image = Image.new("RGB", (32, 48), (250, 10, 10))
    image.paste((10, 10, 250), (0, 0, 16, 24))
    turned = stored(image.convert(mode), orientation, tmp_path / f"turned.{suffix}")
    seen = np.abs(pixels(turned).astype(int) - np.asarray(image.convert(mode).convert("RGB")))
    assert seen.mean() < 3


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_lies_under_transparent_pixels_does_not_matter(mode: str, tmp_path: Path) -> None:
    read = []
    for hidden in (0, 77, 255):
        layers = np.full((8, 8, 4), hidden, np.uint8)
        layers[..., 3] = 0
        layers[2:4] = (10, 20, 30, 255)
        image = Image.fromarray(layers)
        path = tmp_path / f"{hidden}.{'tif' if mode == 'PA' else 'png'}"
        (image if mode != "LA" else image.convert("LA")).save(path)
        read.append(pixels(path))
    assert np.array_equal(read[0], read[1])
    assert np.array_equal(read[0], read[2])
    assert (read[0][6:] == photo.GROUND).all()


def test_half_transparent_pixels_lie_over_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (200, 100, 0, 128)).save(tmp_path / "a.png")
    assert np.abs(pixels(tmp_path / "a.png")[0, 0].astype(int) - (227, 177, 127)).max() <= 1


@pytest.mark.parametrize("mode", ["P", "RGB", "L", "I;16"])
def test_a_transparent_colour_is_white(mode: str, tmp_path: Path) -> None:
    image = picture(mode)
    image.save(tmp_path / "a.png", transparency=image.getpixel((3, 4)))
    assert tuple(pixels(tmp_path / "a.png")[4, 3]) == photo.GROUND


def test_16_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    for suffix in ("png", "tif"):
        Image.fromarray(values).save(tmp_path / f"a.{suffix}")
        assert pixels(tmp_path / f"a.{suffix}")[0, :, 0].tolist() == [0, 1, 128, 255]
    (tmp_path / "a.pgm").write_bytes(b"P5 4 1 65535\n" + values.astype(">u2").tobytes())
    assert pixels(tmp_path / "a.pgm")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_the_first_picture_of_an_animation_is_read(tmp_path: Path) -> None:
    first, second = (Image.new("RGB", (9, 9), colour) for colour in ("red", "blue"))
    for suffix in ("gif", "webp", "png", "tif"):
        path = tmp_path / f"a.{suffix}"
        first.save(path, save_all=True, append_images=[second])
        assert np.abs(pixels(path)[4, 4].astype(int) - (255, 0, 0)).max() < 10


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_without_a_white_point_are_refused(dtype: type, tmp_path: Path) -> None:
    Image.fromarray(np.ones((5, 5), dtype)).save(tmp_path / "a.tif")
    with pytest.raises(PhotoError, match=r"a\.tif: pixels of the kind (F|I); allowed: grey of 16"):
        read_photo(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tif", "bmp"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_files_are_refused_in_one_line(suffix: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    picture("RGB", 200, 150).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(PhotoError) as caught:
        read_reduced(path, 40)
    assert caught.value.path == path
    assert "\n" not in str(caught.value)


def test_too_many_pixels_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    picture("RGB", 40, 30).save(tmp_path / "a.png")
    limit = Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(photo, "MOST_PIXELS", 1200)
    assert read_photo(tmp_path / "a.png").size == (40, 30)
    monkeypatch.setattr(photo, "MOST_PIXELS", 1199)
    with pytest.raises(PhotoError, match="40 x 30 pixels; allowed: 1,199 in all"):
        read_photo(tmp_path / "a.png")
    assert limit == Image.MAX_IMAGE_PIXELS
    assert not recwarn.list


def test_programs_are_not_started_for_files_that_ask_for_them(tmp_path: Path) -> None:
    picture("RGB").save(tmp_path / "a.eps")
    shutil.move(tmp_path / "a.eps", tmp_path / "a.jpg")
    with pytest.raises(PhotoError, match="not an image of a format that is read"):
        read_photo(tmp_path / "a.jpg")


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 120))
def test_a_large_jpeg_keeps_the_wanted_side(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, side: int
) -> None:
    path = tmp_path_factory.mktemp("photo") / "a.jpg"
    picture("RGB", width, height).save(path)
    assert min(read_photo(path, side).size) >= min(side, width, height)
    assert min(read_reduced(path, side).size) == min(side, width, height)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 40), st.integers(0, 20))
def test_the_centre_is_that_of_the_whole_scaled_image(
    width: int, height: int, size: int, more: int
) -> None:
    image, resize = picture("RGB", width, height), size + more
    if max(width, height) / min(width, height) > 50:
        return
    scaled = image_functional.resize(image, [resize])
    expected = np.asarray(image_functional.center_crop(scaled, [size, size]))
    # Up to rounding: Pillow keeps the corners of a part in single precision.
    assert np.abs(np.asarray(centre_crop(image, size, resize)).astype(int) - expected).max() <= 2


def test_a_very_long_image_is_cropped_without_much_memory() -> None:
    assert centre_crop(Image.new("RGB", (60_000, 2)), 224, 256).size == (224, 224)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 2**32 - 1))
def test_random_crops_lie_inside(height: int, width: int, seed: int) -> None:
    top, left, high, broad = crop_box(height, width, seed)
    assert 0 <= top <= top + high <= height
    assert 0 <= left <= left + broad <= width
    assert high > 0
    assert broad > 0
    assert crop_box(height, width, seed) == (top, left, high, broad)


def test_random_crops_are_spread_like_those_of_torchvision() -> None:
    boxes = torch.tensor([crop_box(300, 400, seed) for seed in range(4000)], dtype=torch.float64)
    areas = boxes[:, 2] * boxes[:, 3] / (300 * 400)
    # Uniform in (0.25, 1), less of the large ones that do not fit.
    assert 0.24 < float(areas.min()) < 0.27
    assert 0.9 < float(areas.max()) <= 1
    assert 0.5 < float(areas.mean()) < 0.62
    ratios = torch.log(boxes[:, 3] / boxes[:, 2])
    assert abs(float(ratios.mean())) < 0.05
    assert float(ratios.abs().max()) < 0.31
    assert 0 < float((boxes[:, 0] / (300 - boxes[:, 2] + 1)).mean()) < 1
