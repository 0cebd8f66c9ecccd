from __future__ import annotations

import random

import pytest

from blocks import ArchSpec, UnitSpec
from nas.cost import Counts, FvcoreCount, FvcoreCounter, count, fvcore_count
from search_spaces import SPACES, load_space

UNITS = {
    "none": UnitSpec(kind="none"),
    "se": UnitSpec(kind="se", reduction=4),
    "sk": UnitSpec(dilations=(1, 2)),
    "sk real": UnitSpec(dilations=(1, 2, 3), kernel="real", group_width=2, branch_act=False),
    "sk one branch": UnitSpec(dilations=(2,), min_dim=8),
    "sk plain": UnitSpec(dilations=(1, 3), kernel="plain", groups=(2, 1)),
}
MORE_UNITS = {
    "sk groups": UnitSpec(dilations=(0, 1), kernel="real", groups=(2, 1), select="reduced"),
    "sk sum": UnitSpec(select="sum", shortcut=False, blocks=(0,)),
    "se conv": UnitSpec(kind="se", placement="conv", pool="none"),
    "se pre": UnitSpec(kind="se", placement="pre", pool="max"),
    "se post": UnitSpec(kind="se", placement="post"),
    "se identity": UnitSpec(kind="se", placement="identity"),
}
MOBILE = (
    "shufflenet_v2", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large",
    "efficientnet_lite0",
)  # fmt: skip
CASES = [
    *((backbone, unit) for backbone in (*MOBILE, "resnext29_16x32d") for unit in UNITS.values()),
    *(
        (backbone, unit)  # one of each kind of block
        for backbone in ("shufflenet_v2", "mobilenet_v2", "resnext26")
        for unit in MORE_UNITS.values()
        if backbone == "resnext26" or unit.placement != "identity"
    ),
]
RANDOM_SPECS = 300
PARTS = 12  # so that no worker of the suite has them all


def counts(theirs: FvcoreCount) -> Counts:
    return Counts(theirs.params, theirs.macs, theirs.activations)


@pytest.mark.parametrize(("backbone", "unit"), CASES)
def test_fvcore_agrees_on_every_kind_of_block(
    backbone: str, unit: UnitSpec, reference_counter: FvcoreCounter
) -> None:
    spec = ArchSpec(backbone=backbone, input_size=32, num_classes=10, unit=unit)
    assert counts(reference_counter.count(spec)) == count(spec)


@pytest.mark.parametrize("backbone", [*MOBILE, "resnext50"])
def test_fvcore_agrees_on_full_images(backbone: str, reference_counter: FvcoreCounter) -> None:
    spec = ArchSpec(backbone=backbone, input_size=224)
    assert counts(reference_counter.count(spec)) == count(spec)


@pytest.mark.parametrize("size", [17, 65])
@pytest.mark.parametrize("backbone", [*MOBILE, "resnext26"])
def test_fvcore_agrees_on_odd_grey_images(
    backbone: str, size: int, reference_counter: FvcoreCounter
) -> None:
    spec = ArchSpec(backbone=backbone, input_size=size, in_channels=1, stem_stride=1)
    assert counts(reference_counter.count(spec)) == count(spec)


def random_specs() -> list[ArchSpec]:
    """Different networks of all shipped spaces in turn, one in thirty for large images."""
    rng = random.Random(2019)
    spaces = {
        size: [
            load_space(name).bind(num_classes=10, in_channels=3, input_size=size) for name in SPACES
        ]
        for size in (32, 224)
    }
    found: dict[str, ArchSpec] = {}
    for turn in range(100_000):  # some spaces are smaller than their share
        size = 224 if turn % 30 == 29 else 32
        spec = spaces[size][turn % len(SPACES)].sample(rng)
        found.setdefault(spec.key, spec)
        if len(found) == RANDOM_SPECS:
            return list(found.values())
    raise AssertionError(f"the shipped spaces gave {len(found)} different networks only")


@pytest.mark.slow
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.long) for part in range(1, PARTS))]
)
def test_fvcore_agrees_on_random_specs_of_all_shipped_spaces(
    part: int, reference_counter: FvcoreCounter
) -> None:
    for spec in random_specs()[part::PARTS]:
        assert counts(reference_counter.count(spec)) == count(spec), spec.to_yaml()


@pytest.mark.integration
def test_totals_and_what_was_not_counted() -> None:
    spec = ArchSpec(backbone="mobilenet_v2", input_size=32, unit=UnitSpec(kind="none"))
    theirs = fvcore_count(spec)
    assert theirs.mflops == theirs.macs / 1e6 == count(spec).mflops
    # Every BatchNorm follows a convolution and costs two for each number; the pool sees 1280 numbers.
    normed = theirs.activations - spec.num_classes
    assert theirs.macs_with_norm == theirs.macs + 2 * normed + 1280 * 1
    assert theirs.mflops_with_norm == theirs.macs_with_norm / 1e6
    assert theirs.uncounted == (("aten::add", 10), ("aten::hardtanh_", 35))
