from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.data.draws import (
    Augmentation,
    BalancedClasses,
    draw_balanced,
    draw_epoch,
    draw_view,
    image_seeds,
    seed_from,
)

ALL = Augmentation(flip=True, crop_padding=2, scale_jitter=0.4)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 200), st.integers(0, 5), st.floats(0.1, 1), st.integers(), st.integers(0))
def test_draws_are_in_their_ranges(
    images: int, padding: int, lowest: float, seed: int, epoch: int
) -> None:
    draws = draw_epoch(images, Augmentation(True, padding, lowest), seed, epoch)
    assert sorted(draws.order.tolist()) == list(range(images))
    assert 0 <= int(draws.corners.min()) <= int(draws.corners.max()) <= 2 * padding
    assert lowest - 1e-6 <= float(draws.paste.scale.min()) <= float(draws.paste.scale.max()) <= 1
    assert float(draws.paste.place.abs().max()) <= 1


def test_draws_reach_the_whole_of_their_ranges() -> None:
    draws = draw_epoch(5000, ALL, seed=0, epoch=0)
    assert torch.equal(draws.corners.unique(), torch.arange(5))
    assert float(draws.flip.float().mean()) == pytest.approx(0.5, abs=0.05)
    assert float(draws.paste.scale.mean()) == pytest.approx(0.7, abs=0.02)
    assert float(draws.paste.place.mean()) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    "other",
    [
        replace(ALL, flip=False),
        replace(ALL, crop_padding=0),
        replace(ALL, scale_jitter=None),
    ],
)
def test_turning_one_augmentation_off_leaves_the_others(other: Augmentation) -> None:
    draws, others = draw_epoch(300, ALL, 1, 2), draw_epoch(300, other, 1, 2)
    assert torch.equal(draws.order, others.order)
    assert torch.equal(draws.paste.place, others.paste.place)
    if other.flip:
        assert torch.equal(draws.flip, others.flip)
    else:
        assert not others.flip.any()
    if other.crop_padding == ALL.crop_padding:
        assert torch.equal(draws.corners, others.corners)
    if other.scale_jitter is None:
        assert bool((others.paste.scale == 1).all())


def test_draws_leave_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    draw_epoch(10, ALL, 0, 0)
    draw_view(10, 0.5)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_seeds_depend_on_every_part_and_its_position() -> None:
    seeds = {seed_from(seed, epoch) for seed in range(30) for epoch in range(30)}
    assert len(seeds) == 900
    assert seed_from(1, 11) != seed_from(11, 1) != seed_from(111)
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_fixed_view_is_the_same_in_every_run() -> None:
    torch.manual_seed(1)
    first = draw_view(20, 0.5)
    torch.manual_seed(2)
    second = draw_view(20, 0.5)
    assert torch.equal(first.scale, second.scale)
    assert torch.equal(first.place, second.place)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(), st.integers(0, 9))
def test_balanced_classes_have_equal_parts_and_use_their_images_alike(
    counts: list[int], seed: int, epoch: int
) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    there = sum(count > 0 for count in counts)
    if not there:
        return
    rows = draw_balanced(BalancedClasses(labels, len(labels)), seed, epoch)
    assert len(rows) == len(labels)
    drawn = labels[rows].bincount(minlength=len(counts))
    assert all(
        len(labels) // there <= number <= -(-len(labels) // there)
        for number, count in zip(drawn.tolist(), counts, strict=True)
        if count
    )
    for label in labels.unique():
        used = rows[labels[rows] == label].bincount(minlength=len(labels))[labels == label]
        assert int(used.max() - used.min()) <= 1


def test_balanced_draws_follow_from_seed_and_epoch_and_leave_the_rest_alone() -> None:
    labels = torch.tensor([0] * 95 + [1] * 5)
    wish = BalancedClasses(labels, 60)
    draws = draw_epoch(100, ALL, 3, 4, wish)
    assert torch.equal(draws.order, draw_epoch(100, ALL, 3, 4, wish).order)
    assert not torch.equal(draws.order, draw_epoch(100, ALL, 3, 5, wish).order)
    assert not torch.equal(draws.order, draw_epoch(100, ALL, 4, 4, wish).order)
    assert torch.equal(draws.flip, draw_epoch(100, ALL, 3, 4).flip)
    assert labels[draws.order].bincount().tolist() == [30, 30]
    seen = {row for epoch in range(40) for row in draw_balanced(wish, 0, epoch).tolist()}
    assert seen == set(range(100))


def test_an_image_that_occurs_again_is_augmented_otherwise() -> None:
    seeds = image_seeds([7, 2, 7, 7], 1, 5)
    assert seeds[:2] == [seed_from(1, 5, 7), seed_from(1, 5, 2)]
    assert len(set(seeds)) == 4
