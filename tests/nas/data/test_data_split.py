from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.data.split import hold_out, shares

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(torch.tensor)

examples = settings(deadline=None, max_examples=100)


@examples
@given(LABELS, st.data())
def test_shares_sum_to_the_count_and_are_proportional(
    labels: torch.Tensor, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, len(labels)))
    per_class = shares(labels, count)
    sizes = torch.bincount(labels)
    assert int(per_class.sum()) == count
    assert bool((per_class <= sizes).all())
    assert bool(((per_class - sizes * count / len(labels)).abs() < 1).all())


@examples
@given(LABELS, st.data())
def test_sides_are_disjoint_cover_all_and_have_the_wanted_sizes(
    labels: torch.Tensor, data: st.DataObject
) -> None:
    sizes = torch.bincount(labels)
    per_class = torch.tensor([data.draw(st.integers(0, size)) for size in sizes.tolist()])
    split = hold_out(labels, per_class)
    together = torch.cat([split.kept, split.held_out])
    assert sorted(together.tolist()) == list(range(len(labels)))
    held = torch.bincount(labels[split.held_out], minlength=len(sizes))
    assert torch.equal(held, per_class)


def test_split_does_not_depend_on_the_global_generator() -> None:
    labels = torch.arange(100) % 7
    per_class = shares(labels, 20)
    torch.manual_seed(1)
    first = hold_out(labels, per_class)
    torch.manual_seed(2)
    second = hold_out(labels, per_class)
    assert torch.equal(first.kept, second.kept)
    assert torch.equal(first.held_out, second.held_out)


def test_split_is_the_one_of_earlier_versions() -> None:
    labels = torch.arange(20) % 2
    split = hold_out(labels, shares(labels, 4))
    assert split.held_out.tolist() == [3, 12, 18, 15]


def test_kept_images_are_in_random_order() -> None:
    labels = torch.arange(1000) // 100  # sorted by class, as image folders are
    kept = hold_out(labels, shares(labels, 100)).kept
    assert len(labels[kept[:100]].unique()) == 10
