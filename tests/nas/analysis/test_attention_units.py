from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from blocks import ArchSpec, UnitSpec, build
from blocks.errors import InvalidInput
from nas.analysis.units import SkUnit, find_unit, shown_units, sk_units


def units_of(spec: ArchSpec) -> tuple[SkUnit, ...]:
    with torch.device("meta"):
        return sk_units(build(spec), spec)


def test_resnext_50_has_the_papers_names_and_the_paper_shows_these_units() -> None:
    units = units_of(ArchSpec(backbone="resnext50", unit=UnitSpec(group_width=4)))
    names = [unit.name for unit in units]
    stages = {2: 3, 3: 4, 4: 6, 5: 3}
    assert names == [f"SK_{i}_{j + 1}" for i, count in stages.items() for j in range(count)]
    assert [unit.name for unit in shown_units(units)] == ["SK_2_3", "SK_3_4", "SK_5_3"]
    assert find_unit(units, None).name == "SK_3_4"
    assert find_unit(units, "SK_3_4").channels == 256


def test_shufflenet_has_a_second_unit_on_shortcuts(make_spec: Callable[..., ArchSpec]) -> None:
    units = units_of(make_spec())
    names = [unit.name for unit in units]
    assert len(set(names)) == len(names) == 4 + 8 + 4 + 3
    assert names[:3] == ["SK_2_1s", "SK_2_1", "SK_2_2"]
    assert "branch1" in units[0].path
    assert "branch2" in units[1].path
    assert [unit.name for unit in shown_units(units)] == ["SK_2_4", "SK_3_8", "SK_4_4"]
    assert "SK_2_1s" not in [unit.name for unit in units_of(make_spec(shortcut=False))]


@pytest.mark.parametrize(
    ("unit", "kernels"),
    [
        ({"dilations": (2, 1)}, (3, 5)),
        ({"dilations": (3, 1, 2)}, (3, 5, 7)),
        ({"dilations": (0, 2), "kernel": "real"}, (1, 5)),
        ({"dilations": (1, 3), "select": "reduced"}, (3, 7)),
    ],
)
def test_kernels_are_what_the_branches_see(
    make_spec: Callable[..., ArchSpec], unit: dict[str, object], kernels: tuple[int, ...]
) -> None:
    first = units_of(make_spec(**unit))[0]
    assert first.kernels == kernels
    assert (first.smaller, first.larger) == (0, len(kernels) - 1)


def test_units_of_one_stage_are_shown_by_their_place(make_spec: Callable[..., ArchSpec]) -> None:
    units = units_of(make_spec(kind="none", stages={3: {"kind": "sk", "blocks": (1, 2, 3, 4, 5)}}))
    assert [unit.name for unit in shown_units(units)] == ["SK_3_2", "SK_3_4", "SK_3_6"]
    assert [unit.name for unit in shown_units(units[:1])] == ["SK_3_2"]


@pytest.mark.parametrize(
    "unit",
    [
        {"kind": "none"},
        {"kind": "se"},
        {"dilations": (2,)},
        {"select": "sum"},
        {"dilations": (2, 2)},
    ],
    ids=str,
)
def test_networks_without_attention_are_refused(
    make_spec: Callable[..., ArchSpec], unit: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput, match="no attention between kernels"):
        units_of(make_spec(**unit))


def test_an_unknown_unit_is_refused_with_those_there_are(
    make_spec: Callable[..., ArchSpec],
) -> None:
    with pytest.raises(InvalidInput, match="--unit SK_9_9: allowed: SK_2_1s, SK_2_1, "):
        find_unit(units_of(make_spec()), "SK_9_9")
