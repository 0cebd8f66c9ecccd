from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from blocks.errors import InvalidInput
from nas.data import Batches, Data, DataConfig, load_data
from nas.data.config import stored_data
from nas.data.splits_file import splits_of

CPU = torch.device("cpu")
SIZE = 16
CLASSES = ("cat", "dog", "emu")
TRAIN_PER_CLASS = 12
TEST_PER_CLASS = 2


def write_image(path: Path, colour: tuple[int, int, int], size: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(sum(map(ord, path.stem))).integers(0, 40, (*size, 3))
    Image.fromarray((noise + colour).clip(0, 255).astype(np.uint8)).save(path)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Three classes whose images are mostly red, green or blue."""
    for label, name in enumerate(CLASSES):
        red, green, blue = (200 if channel == label else 10 for channel in range(3))
        for number in range(TRAIN_PER_CLASS):
            path = tmp_path / "train" / name / f"{number}.png"
            write_image(path, (red, green, blue), (20 + number, 30))
        for number in range(TEST_PER_CLASS):
            path = tmp_path / "val" / name / f"{number}.png"
            write_image(path, (red, green, blue), (40, 25))
    return tmp_path


def load(root: Path, **options: object) -> Data:
    given = {"name": f"imagefolder:{root}", "input_size": SIZE, "workers": 0, **options}
    return load_data(DataConfig.model_validate(given))


def epoch(batches: Batches, number: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    batches.set_epoch(number)
    images, labels = zip(*batches, strict=True)
    return torch.cat(images), torch.cat(labels)


def test_info(photographs: Path) -> None:
    info = load(photographs).info
    assert info.class_names == CLASSES
    assert (info.num_classes, info.in_channels, info.input_size) == (3, 3, SIZE)
    assert info.train_images + info.val_images == 36
    assert info.val_images >= 3
    assert info.test_images == 6
    assert info.mean == (0.485, 0.456, 0.406)
    assert load(photographs, input_size=None).info.input_size == 224


def test_batches_have_the_promised_types_and_layout(photographs: Path) -> None:
    images, labels = next(iter(load(photographs).train_batches(5, 0, CPU)))
    assert images.shape == (5, 3, SIZE, SIZE)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.dtype == torch.int64


@pytest.mark.parametrize("split", ["train", "full", "val", "test"])
def test_labels_belong_to_their_images_in_every_split(photographs: Path, split: str) -> None:
    data = load(photographs)
    batches = {
        "train": data.train_batches(4, 0, CPU),
        "full": data.train_batches(4, 0, CPU, full=True),
        "val": data.val_batches(4, CPU),
        "test": data.test_batches(4, CPU),
    }[split]
    images, labels = epoch(batches)
    std, mean = torch.tensor(data.info.std), torch.tensor(data.info.mean)
    brightness = images.mean((2, 3)) * std + mean
    assert torch.equal(brightness.argmax(1), labels)
    assert len(labels.unique()) == 3


def test_validation_images_are_held_out_of_the_training_folder(photographs: Path) -> None:
    # One image among the training images is black; it is in exactly one of the two splits.
    for number in range(TRAIN_PER_CLASS):
        black = photographs / "train" / "cat" / f"{number}.png"
        original = black.read_bytes()
        Image.new("RGB", (20, 20)).save(black)
        data = load(photographs)
        seen = [
            int((epoch(batches)[0].amax((1, 2, 3)) < 0).sum())
            for batches in (
                data.train_batches(1, 0, CPU),
                data.val_batches(1, CPU),
                data.train_batches(1, 0, CPU, full=True),
                data.test_batches(1, CPU),
            )
        ]
        assert seen in ([1, 0, 1, 0], [0, 1, 1, 0])
        black.write_bytes(original)


@pytest.mark.integration
def test_workers_do_not_change_the_batches(photographs: Path) -> None:
    alone = epoch(load(photographs).train_batches(8, 5, CPU), 1)
    helped = epoch(load(photographs, workers=2).train_batches(8, 5, CPU), 1)
    assert torch.equal(alone[0], helped[0])
    assert torch.equal(alone[1], helped[1])


def test_an_epoch_is_the_same_after_a_restart_and_unlike_the_others(photographs: Path) -> None:
    running = load(photographs).train_batches(8, 5, CPU)
    epochs = [epoch(running, number)[0] for number in range(3)]
    torch.manual_seed(99)
    restarted = epoch(load(photographs).train_batches(8, 5, CPU), 2)[0]
    assert torch.equal(restarted, epochs[2])
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epoch(load(photographs).train_batches(8, 6, CPU), 2)[0], restarted)


def test_reading_leaves_the_global_generator_alone(photographs: Path) -> None:
    data = load(photographs)
    before = torch.random.get_rng_state()
    epoch(data.train_batches(8, 0, CPU))
    epoch(data.val_batches(8, CPU))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_crops_are_drawn_anew_each_epoch(photographs: Path) -> None:
    batches = load(photographs, flip=False, limit=2).train_batches(2, 0, CPU)
    crops = {crop.numpy().tobytes() for number in range(4) for crop in epoch(batches, number)[0]}
    assert len(crops) == 8


def test_flip_can_be_turned_off(photographs: Path) -> None:
    flipping = epoch(load(photographs).train_batches(33, 0, CPU))[0]
    still = epoch(load(photographs, flip=False).train_batches(33, 0, CPU))[0]
    same = (flipping == still).flatten(1).all(1)
    mirrored = (flipping.flip(-1) == still).flatten(1).all(1)
    assert bool((same | mirrored).all())
    assert 5 < int(mirrored.sum()) < 28


def test_evaluation_is_the_centre_crop(photographs: Path) -> None:
    # A wide black image with a white ring in the middle, just where 224 of 256 pixels end.
    for path in (photographs / "val").rglob("*.png"):
        image = Image.new("RGB", (512, 128))
        image.paste((255, 255, 255), (200, 8, 312, 120))
        image.paste((0, 0, 0), (216, 24, 296, 104))
        image.save(path)
    images, _ = epoch(load(photographs).test_batches(6, CPU))
    assert images.shape == (6, 3, SIZE, SIZE)
    border = torch.cat([images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]])
    assert float(border.min()) > 0
    assert float(images[..., SIZE // 2, SIZE // 2].max()) < -1


def test_limit_and_drop_last(photographs: Path) -> None:
    data = load(photographs, limit=10)
    assert data.info.train_images == 10
    assert [len(labels) for _, labels in data.train_batches(4, 0, CPU)] == [4, 4]
    assert [len(labels) for _, labels in data.train_batches(64, 0, CPU)] == [10]
    assert [len(labels) for _, labels in data.test_batches(4, CPU)] == [4, 2]
    assert len(data.train_batches(4, 0, CPU)) == 2
    assert len(data.test_batches(4, CPU)) == 2


def test_scale_jitter_is_fixed_for_evaluation_and_fresh_in_training(photographs: Path) -> None:
    data = load(photographs, scale_jitter=0.5)
    whole = epoch(data.test_batches(6, CPU))[0]
    assert torch.allclose(epoch(data.test_batches(4, CPU), 3)[0], whole, atol=1e-5)
    assert not torch.equal(epoch(load(photographs).test_batches(6, CPU))[0], whole)
    batches = data.train_batches(33, 0, CPU)
    # Black corners of the canvas, which no photograph has.
    black = [(epoch(batches, number)[0].amax(1) < -1.7).sum() for number in range(2)]
    assert black[0] > 0
    assert black[0] != black[1]


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"absent does not exist; allowed: train/ and val/"):
        load(tmp_path / "absent")


def test_missing_training_images(photographs: Path) -> None:
    (photographs / "train").rename(photographs / "elsewhere")
    with pytest.raises(InvalidInput, match="has no folder train; allowed: train/ and val/"):
        load(photographs)


def test_no_class_folders(tmp_path: Path) -> None:
    for part in ("train", "val"):
        (tmp_path / part).mkdir()
    with pytest.raises(InvalidInput, match=r"train has no class folders; allowed") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_class_folder_without_training_images(photographs: Path) -> None:
    (photographs / "train" / "fox").mkdir()
    write_image(photographs / "val" / "fox" / "0.png", (1, 2, 3), (20, 20))
    with pytest.raises(InvalidInput, match=r"train/fox has no photographs, .*val/fox has some"):
        load(photographs)


def test_classes_that_only_the_test_set_has(photographs: Path) -> None:
    write_image(photographs / "val" / "fox" / "0.png", (1, 2, 3), (20, 20))
    with pytest.raises(InvalidInput, match=r"val has 1 class folder that train lacks \(fox\)"):
        load(photographs)
    (photographs / "val" / "emu").rename(photographs / "val" / "Emu")
    with pytest.raises(InvalidInput, match=r"lacks \(Emu, fox\); every class needs"):
        load(photographs)


def test_a_class_without_test_images_is_named(
    photographs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        write_image(photographs / "train" / "fox" / f"{number}.png", (1, 2, 3), (20, 20 + number))
    assert load(photographs).info.num_classes == 4
    assert "fox (2 training, 1 validation, 0 test)" in caplog.text


def test_too_few_images_for_validation(tmp_path: Path) -> None:
    for part, name in product(("train", "val"), ("cat", "dog")):
        write_image(tmp_path / part / name / "0.png", (1, 2, 3), (20, 20))
    with pytest.raises(InvalidInput, match="validation, which needs at least two"):
        load(tmp_path)


def test_crop_padding_is_refused(photographs: Path) -> None:
    with pytest.raises(InvalidInput, match=r"crop_padding is 4 for imagefolder:.* leave"):
        load(photographs, crop_padding=4)


@pytest.mark.parametrize("share", [0, 0.5])
def test_unreadable_images_of_all_splits_are_named_in_one_line(
    photographs: Path, share: float
) -> None:
    damaged = [photographs / "train" / "dog" / "7.png", photographs / "val" / "emu" / "1.png"]
    for path in damaged:
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
    words = (
        r": 2 images cannot be read: .*dog/7\.png \(.*emu/1\.png \(.*\); replace or remove them, or "
        r"on_bad_image='skip'$"
    )
    with pytest.raises(InvalidInput, match=words) as caught:
        load(photographs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_is_damaged_later_is_named_in_one_line(
    photographs: Path, workers: int
) -> None:
    batches = load(photographs, workers=workers, cache_gb=0).train_batches(4, 0, CPU, full=True)
    (photographs / "train" / "dog" / "7.png").write_text("not an image")
    with pytest.raises(InvalidInput, match=r"dog/7\.png cannot be read .*replace or") as caught:
        for _ in batches:
            pass
    assert "\n" not in str(caught.value)


def test_many_damaged_images_are_counted(photographs: Path) -> None:
    for path in (photographs / "train").rglob("*.png"):
        path.write_text("not an image")
    with pytest.raises(InvalidInput, match=r": 36 images cannot be read: .* and 26 more; replace"):
        load(photographs)


def test_pixels_without_a_white_point_are_refused(photographs: Path) -> None:
    deep = Image.fromarray(np.full((20, 20), 0.5, np.float32))
    deep.save(photographs / "val" / "emu" / "1.png", format="TIFF")
    with pytest.raises(InvalidInput, match=r"emu/1\.png \(pixels of the kind F; all"):
        load(photographs)


def test_hidden_files_are_no_images(photographs: Path) -> None:
    (photographs / "train" / "dog" / "._7.png").write_text("what a system notes")
    info = load(photographs).info
    assert info.train_images + info.val_images == 36


def test_one_class_is_refused(tmp_path: Path) -> None:
    for part in ("train", "val"):
        for number in range(3):
            write_image(tmp_path / part / "cat" / f"{number}.png", (1, 2, 3), (20, 20))
    with pytest.raises(InvalidInput, match=r" has one class folder; allowed: two or more$"):
        load(tmp_path)


def test_runs_of_before_keep_the_images_that_they_held_out(photographs: Path) -> None:
    """The positions of the held-out files are part of those runs."""
    fields = {"name": f"imagefolder:{photographs}", "input_size": SIZE, "workers": 0}
    old = load_data(DataConfig.model_validate(stored_data(fields)))
    assert (old.info.train_images, old.info.val_images, old.info.test_images) == (33, 3, 6)
    held_out = ["train/emu/11.png", "train/dog/0.png", "train/cat/1.png"]
    assert old.image_names("val") == tuple(held_out)
    assert splits_of(old) is None


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_names_are_in_the_order_of_the_batches(photographs: Path, split: str) -> None:
    data = load(photographs)
    sizes = {"train": data.info.train_images, "val": data.info.val_images, "test": 6}
    names = data.image_names(split)  # type: ignore[arg-type]
    assert len(names) == len(set(names)) == sizes[split]
    if split != "train":
        batches = data.val_batches(4, CPU) if split == "val" else data.test_batches(4, CPU)
        assert [data.info.class_names[label] for label in epoch(batches)[1].tolist()] == [
            name.split("/")[1] for name in names
        ]


def test_balanced_classes(photographs: Path) -> None:
    for number in range(2, TRAIN_PER_CLASS):
        (photographs / "train" / "emu" / f"{number}.png").unlink()
    data = load(photographs)
    batches = data.train_batches(4, 0, CPU, balanced=True)
    images, labels = epoch(batches, 1)
    counts = labels.bincount(minlength=3)
    assert int(counts.max() - counts.min()) <= 4 + 1  # of which the last batch lacks some
    again = data.train_batches(4, 0, CPU, balanced=True)
    assert torch.equal(images, epoch(again, 1)[0])
    parts = [list(again.share(rank, 3)) for rank in range(3)]
    again.set_epoch(1)
    for place, (whole, _) in enumerate(again):
        assert torch.equal(torch.cat([part[place][0] for part in parts]), whole)
    # An image that is there again is another crop of it.
    rare = images[labels == 2]
    assert not torch.equal(rare[0], rare[-1])
