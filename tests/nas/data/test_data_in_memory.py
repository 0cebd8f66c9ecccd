"""The digits stand for every set held in memory: real images, and loaded at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from sklearn.datasets import load_digits

from blocks.errors import InvalidInput
from nas.data import Batches, Data, DataConfig, load_data
from nas.data.in_memory import SetDefaults, in_memory_data
from nas.data.labelled import LabelledImages
from nas.data.split import hold_out, shares
from nas.data.statistics import pixel_statistics

CPU = torch.device("cpu")


def digits(**options: object) -> Data:
    return load_data(DataConfig.model_validate({"name": "digits", **options}))


def plain_digits() -> Data:
    return digits(flip=False, crop_padding=0)


def epoch(batches: Batches, number: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    batches.set_epoch(number)
    images, labels = zip(*batches, strict=True)
    return torch.cat(images), torch.cat(labels)


def pixels(data: Data, batches: Batches) -> list[bytes]:
    """The images before normalisation, as values that can be compared."""
    images, _ = epoch(batches)
    mean, std = torch.tensor(data.info.mean), torch.tensor(data.info.std)
    raw = (images * std[:, None, None] + mean[:, None, None]) * 255
    return [bytes(image.flatten().tolist()) for image in raw.round().byte()]


def test_info_of_the_digits() -> None:
    info = digits().info
    assert (info.name, info.num_classes, info.in_channels, info.input_size) == ("digits", 10, 1, 16)
    assert info.class_names == tuple("0123456789")
    assert (info.train_images, info.val_images, info.test_images) == (1150, 288, 359)


def test_splits_share_no_image_and_cover_all() -> None:
    data = plain_digits()
    train = pixels(data, data.train_batches(1, 0, CPU))
    val, test = pixels(data, data.val_batches(100, CPU)), pixels(data, data.test_batches(100, CPU))
    assert len(set(train + val + test)) == len(train + val + test) == len(load_digits().target)


def test_full_training_adds_the_validation_images_but_no_test_image() -> None:
    data = plain_digits()
    full = pixels(data, data.train_batches(1, 0, CPU, full=True))
    train = pixels(data, data.train_batches(1, 0, CPU))
    val, test = pixels(data, data.val_batches(100, CPU)), pixels(data, data.test_batches(100, CPU))
    assert sorted(full) == sorted(train + val)
    assert not set(full) & set(test)


def test_labels_belong_to_their_images() -> None:
    published = load_digits()
    data = plain_digits()
    images, labels = epoch(data.train_batches(50, 3, CPU))
    # Blocks of 2 x 2 pixels average back to the published image only roughly, so the nearest
    # published image is looked up.
    small = torch.nn.functional.avg_pool2d(images * data.info.std[0] + data.info.mean[0], 2)
    flat = torch.from_numpy(published.images).float().flatten(1) / 16
    nearest = torch.cdist(small.flatten(1), flat).argmin(1)
    assert torch.equal(torch.from_numpy(published.target)[nearest], labels)


def test_splits_are_class_balanced() -> None:
    data = digits()
    for batches in (data.val_batches(500, CPU), data.test_batches(500, CPU)):
        counts = torch.bincount(epoch(batches)[1])
        assert int(counts.max() - counts.min()) <= 2


def test_splits_do_not_depend_on_seed_or_process_state() -> None:
    torch.manual_seed(1)
    first = epoch(digits().val_batches(300, CPU))
    torch.manual_seed(2)
    second = epoch(digits().val_batches(300, CPU))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_training_split_has_mean_0_and_deviation_1() -> None:
    data = plain_digits()
    images, _ = epoch(data.train_batches(1, 0, CPU))
    assert float(images.mean()) == pytest.approx(0, abs=1e-4)
    assert float(images.std(correction=0)) == pytest.approx(1, abs=1e-4)


def test_pixel_statistics_are_per_channel() -> None:
    images = torch.randint(0, 256, (50, 3, 7, 7), dtype=torch.uint8)
    images[:, 1] //= 2
    mean, std = pixel_statistics(images)
    scaled = images.double() / 255
    assert mean == pytest.approx(scaled.mean((0, 2, 3)).tolist())
    assert std == pytest.approx(scaled.std((0, 2, 3), correction=0).tolist())


@pytest.mark.parametrize("options", [{}, {"flip": True, "scale_jitter": 0.5}])
def test_an_epoch_is_the_same_after_a_restart(options: dict[str, object]) -> None:
    running = digits(**options).train_batches(64, 7, CPU)
    for number in range(3):
        expected = epoch(running, number)
    restarted = epoch(digits(**options).train_batches(64, 7, CPU), 2)
    assert torch.equal(expected[0], restarted[0])
    assert torch.equal(expected[1], restarted[1])


def test_iterating_twice_without_a_new_epoch_yields_the_same() -> None:
    batches = digits(scale_jitter=0.5).train_batches(64, 0, CPU)
    for (images, labels), (again, labels_again) in zip(batches, batches, strict=True):
        assert torch.equal(images, again)
        assert torch.equal(labels, labels_again)


def test_epochs_and_seeds_differ() -> None:
    data = digits()
    batches = data.train_batches(64, 0, CPU)
    orders = [epoch(batches, number)[1] for number in range(3)]
    orders.append(epoch(data.train_batches(64, 1, CPU), 0)[1])
    assert all(not torch.equal(one, other) for one, other in pairwise(orders))


@pytest.mark.parametrize("options", [{"crop_padding": 1}, {"flip": True}, {"scale_jitter": 0.5}])
def test_augmentation_is_drawn_anew_each_epoch(options: dict[str, object]) -> None:
    data = digits(**{"crop_padding": 0, **options})
    batches = data.train_batches(1, 0, CPU)
    epochs = []
    for number in range(2):
        batches.set_epoch(number)
        epochs.append({image.numpy().tobytes() for image, _ in batches})
    plain = plain_digits()
    unchanged = {image.numpy().tobytes() for image, _ in plain.train_batches(1, 0, CPU)}
    assert epochs[0] != epochs[1]
    assert len(epochs[0] - unchanged) > 300


def test_default_crop_shifts_by_at_most_one_pixel() -> None:
    data = digits()
    plain = plain_digits()
    shifted = epoch(data.train_batches(1, 0, CPU))[0]
    still = epoch(plain.train_batches(1, 0, CPU))[0]
    black = float(still.min())
    padded = torch.nn.functional.pad(still, (1, 1, 1, 1), value=black)
    windows = torch.stack(
        [padded[:, :, top : top + 16, left : left + 16] for top in range(3) for left in range(3)]
    )
    matches = (windows == shifted).flatten(2).all(2)
    assert bool(matches.any(0).all())
    assert bool(matches.any(1).all())  # each of the nine shifts is met


def test_number_of_training_batches_drops_the_incomplete_one() -> None:
    batches = digits().train_batches(100, 0, CPU)
    sizes = [len(labels) for _, labels in batches]
    assert sizes == [100] * 11
    assert len(batches) == 11


def test_a_set_smaller_than_a_batch_is_one_batch() -> None:
    batches = digits(limit=10).train_batches(64, 0, CPU)
    assert [len(labels) for _, labels in batches] == [10]
    assert len(batches) == 1


def test_a_set_of_exactly_one_batch_is_one_batch() -> None:
    assert [len(y) for _, y in digits(limit=64).train_batches(64, 0, CPU)] == [64]


def test_evaluation_keeps_the_incomplete_batch() -> None:
    batches = digits().test_batches(100, CPU)
    assert [len(labels) for _, labels in batches] == [100, 100, 100, 59]
    assert len(batches) == 4


def test_evaluation_is_the_same_in_every_epoch() -> None:
    batches = digits(scale_jitter=0.3).val_batches(100, CPU)
    assert torch.equal(epoch(batches, 0)[0], epoch(batches, 5)[0])


def test_limit_takes_the_front_of_the_training_split() -> None:
    labels = torch.arange(200) % 2
    # The brightness of each image is its position.
    numbered = LabelledImages(torch.arange(200).byte()[:, None, None, None], labels)
    defaults = SetDefaults(class_names=("even", "odd"), val_images=40, flip=False, crop_padding=0)
    data = in_memory_data(DataConfig(name="numbered", limit=30), defaults, numbered, numbered)
    front = hold_out(labels, shares(labels, 40)).kept[:30]
    seen = [image[0] for image in pixels(data, data.train_batches(1, 0, CPU))]
    assert sorted(seen) == sorted(front.tolist())


def test_limit_changes_only_the_number_of_training_images() -> None:
    whole, few = digits().info, digits(limit=100).info
    assert few == replace(whole, train_images=100)
    assert digits(limit=10**6).info == whole


def test_scale_jitter_changes_evaluation_images_once_and_for_all() -> None:
    jittered, plain = digits(scale_jitter=0.5), digits()
    for name in ("val_batches", "test_batches"):
        images, labels = epoch(getattr(jittered, name)(400, CPU))
        again, _ = epoch(getattr(digits(scale_jitter=0.5), name)(64, CPU))
        originals, same_labels = epoch(getattr(plain, name)(400, CPU))
        assert torch.equal(images, again)
        assert torch.equal(labels, same_labels)
        black = -plain.info.mean[0] / plain.info.std[0]
        ratio = float((images - black).sum() / (originals - black).sum())
        # The mean of s squared for s uniform in [1/2, 1] is 7/12.
        assert ratio == pytest.approx(7 / 12, abs=0.04)


def test_full_training_pastes_validation_images_only_once() -> None:
    # Pasted twice, they would lose mass twice.
    jittered, plain = digits(scale_jitter=0.5, limit=2), digits(limit=2)
    black = -plain.info.mean[0] / plain.info.std[0]
    masses = [
        float((epoch(data.train_batches(1, 0, CPU, full=True))[0] - black).sum())
        for data in (jittered, plain)
    ]
    assert masses[0] / masses[1] == pytest.approx(7 / 12, abs=0.05)


def test_batches_have_the_promised_types_and_layout() -> None:
    images, labels = next(iter(digits(scale_jitter=0.5).train_batches(8, 0, CPU)))
    assert images.shape == (8, 1, 16, 16)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.stride() == (256, 1, 16, 1)
    assert labels.shape == (8,)
    assert labels.dtype == torch.int64


def test_sampler_sets_the_epoch_of_the_batches() -> None:
    batches = digits().train_batches(64, 0, CPU)
    expected = epoch(batches, 4)[1]
    batches.set_epoch(0)
    batches.sampler.set_epoch(4)
    assert torch.equal(torch.cat([labels for _, labels in batches]), expected)


def test_writing_into_a_batch_does_not_reach_the_data() -> None:
    batches = digits().val_batches(100, CPU)
    before = epoch(batches)[0]
    for images, _ in batches:
        images.zero_()
    assert torch.equal(epoch(batches)[0], before)


@pytest.mark.parametrize("batch_size", [0, -3])
def test_batch_size_below_one_is_refused(batch_size: int) -> None:
    data = digits()
    with pytest.raises(InvalidInput, match=f"batch_size is {batch_size}; it must be at least 1"):
        data.train_batches(batch_size, 0, CPU)
    with pytest.raises(InvalidInput, match=f"batch_size is {batch_size}; it must be at least 1"):
        data.val_batches(batch_size, CPU)


def test_input_size_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"input_size is 32 for the data set digits.* 16 pixels"):
        digits(input_size=32)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_gpu_sees_the_same_batches_as_the_cpu() -> None:
    data = digits(flip=True, scale_jitter=0.5)
    on_cpu = epoch(data.train_batches(64, 0, CPU), 1)
    on_gpu = epoch(data.train_batches(64, 0, torch.device("cuda")), 1)
    assert on_gpu[0].is_cuda
    assert torch.equal(on_gpu[1].cpu(), on_cpu[1])
    assert torch.allclose(on_gpu[0].cpu(), on_cpu[0], atol=1e-3)


def test_balanced_classes_of_a_limited_set() -> None:
    data = load_data(DataConfig(name="digits", limit=50, epoch_images=40))
    batches = data.train_batches(10, 0, CPU, balanced=True)
    labels = torch.cat([labels for _, labels in batches])
    there = sum(count > 0 for count in data.class_counts())
    wanted = [40 // there if count else 0 for count in data.class_counts()]
    assert labels.bincount(minlength=10).tolist() == wanted
    assert [len(labels) for _, labels in batches.share(0, 2)] == [5] * 4
