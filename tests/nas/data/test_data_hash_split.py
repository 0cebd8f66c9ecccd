"""Splits by a hash of each file's path."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from nas.data.hash_split import Item, Shares, position, split_by_hash

BOTH, VAL_ONLY = Shares(0.15, 0.15), Shares(0.1, 0)
digests = st.integers(0, 400).map(lambda number: f"{number:032x}")
names = st.integers(0, 10**6).map(lambda number: f"{number}.jpg")
labels = st.sampled_from(["ant", "bee", "cow"])
alone = st.lists(st.tuples(digests, labels), unique_by=lambda one: one[0], min_size=1, max_size=80)
grouped = st.lists(
    st.builds(Item, names, digests, labels, st.none() | st.sampled_from("abcdefgh")),
    min_size=1,
    max_size=60,
    unique_by=lambda one: one.name,
)
shares = st.sampled_from([BOTH, VAL_ONLY])


def items_of(pairs: list[tuple[str, str]]) -> list[Item]:
    return [Item(f"{label}/{digest}.jpg", digest, label) for digest, label in pairs]


@given(alone, shares)
def test_every_class_has_what_it_can_spare(pairs: list[tuple[str, str]], share: Shares) -> None:
    items = items_of(pairs)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item, side in zip(items, split_by_hash(items, share), strict=True):
        counts[item.label][side] += 1
    for found in counts.values():
        total = sum(found.values())
        assert set(found) <= {"train", "val", "test"}
        assert found["train"] >= 1
        assert found["val"] >= 1 or total < 2
        assert found["test"] >= 1 or total < 3 or share.test == 0
        assert share.test or not found["test"]


@given(grouped, shares)
def test_a_group_and_exact_duplicates_are_on_one_side(items: list[Item], share: Shares) -> None:
    sides = split_by_hash(items, share)
    assert len(sides) == len(items)
    of_file: dict[str, set[str]] = defaultdict(set)
    of_group: dict[str, set[str]] = defaultdict(set)
    for item, side in zip(items, sides, strict=True):
        of_file[item.digest].add(side)
        if item.group is not None:
            of_group[item.group].add(side)
    assert all(len(found) == 1 for found in (*of_file.values(), *of_group.values()))
    trained = {item.label for item, side in zip(items, sides, strict=True) if side == "train"}
    assert trained == {item.label for item in items}


@given(alone, shares, st.randoms())
def test_the_order_of_the_files_does_not_matter(
    pairs: list[tuple[str, str]], share: Shares, random: object
) -> None:
    items = items_of(pairs)
    expected = dict(zip(items, split_by_hash(items, share), strict=True))
    random.shuffle(items)  # type: ignore[attr-defined]
    assert dict(zip(items, split_by_hash(items, share), strict=True)) == expected


@given(alone, alone, shares)
def test_additions_move_at_most_what_a_small_class_had_to_lend(
    before: list[tuple[str, str]], added: list[tuple[str, str]], share: Shares
) -> None:
    known = {digest for digest, _ in before}
    both = items_of(before) + items_of([one for one in added if one[0] not in known])
    first = dict(zip(items_of(before), split_by_hash(items_of(before), share), strict=True))
    then = dict(zip(both, split_by_hash(both, share), strict=True))
    moved = Counter(item.label for item in first if first[item] != then[item])
    for label, count in moved.items():
        assert count <= 3, label


def test_another_content_moves_nothing() -> None:
    """A photograph that was turned upright, or stripped of its metadata, is still the same one."""
    items = [Item(f"ant/{number}.jpg", f"{number:032x}", "ant") for number in range(100)]
    edited = [Item(one.name, f"{number + 1000:032x}", "ant") for number, one in enumerate(items)]
    assert split_by_hash(edited, BOTH) == split_by_hash(items, BOTH)


def test_a_large_class_moves_nothing_and_has_the_asked_shares() -> None:
    items = [Item(f"ant/{number}.jpg", f"{number:032x}", "ant") for number in range(4000)]
    first = split_by_hash(items[:3000], BOTH)
    assert split_by_hash(items, BOTH)[:3000] == first
    counts = Counter(first)
    assert abs(counts["val"] - 450) < 70
    assert abs(counts["test"] - 450) < 70


def test_the_hash_is_part_of_the_definition_of_a_split() -> None:
    """Another one would move the photographs of every run."""
    assert round(position("00" * 16), 6) == 0.815985
