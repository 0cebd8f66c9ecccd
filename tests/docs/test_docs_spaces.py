"""docs/spaces.md against the code: its fields, defaults, kinds, examples and error lines."""

from __future__ import annotations

import json
import re
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from blocks import BACKBONES, UNITS, ArchSpec, InvalidInput, UnitOverride, UnitSpec
from search_spaces import SpaceDefinition, load_space
from search_spaces.conditions import KEYS as ASKED
from search_spaces.variables import KEYS as OF_ENTRY
from tests.docs.docs_blocks import ROOT, Block, blocks_of

DOCUMENT = "docs/spaces.md"
TEXT = (ROOT / DOCUMENT).read_text(encoding="utf-8")
BLOCKS = blocks_of(DOCUMENT)
RIGHT = [one for one in BLOCKS if one.language == "yaml" and one.title != "wrong"]
WRONG = [(one, said) for one, said in pairwise(BLOCKS) if one.title == "wrong"]

OTHERS: dict[str, tuple[Any, ...]] = {
    "dilations": ((1,), (2,)),
    "kernel": ("real",),
    "group_width": (2,),
    "reduction": (2,),
    "min_dim": (1,),
    "branch_act": (False,),
    "groups": ((2,),),
    "select": ("reduced", "sum"),
    "shortcut": (False,),
    "blocks": ((0,),),
    "placement": ("conv", "standard", "pre", "post"),
    "pool": ("avg", "max", "att", "none"),
    "fusion": ("add", "scale", "sum", "product"),
    "pairwise": ("gaussian", "dot", "concat"),
    "subsample": (True,),
}
"""Values to set a field of a unit to, to see whether that changes the network."""


def rows() -> dict[str, list[str]]:
    """Code in the first cell of a table -> the other cells."""
    lines = [line[1:-1].split("|") for line in TEXT.splitlines() if line.startswith("| `")]
    return {first.strip(" `"): [cell.strip() for cell in rest] for first, *rest in lines}


@pytest.mark.parametrize("block", RIGHT, ids=lambda one: one.place)
def test_an_example_loads(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_space.yaml").write_text(block.text)
    space = load_space("my_space.yaml").bind(num_classes=10, in_channels=1, input_size=28)
    assert len({spec.key for spec in islice(space.enumerate(), 20)}) > 2


@pytest.mark.parametrize(("block", "said"), WRONG, ids=lambda one: one.place)
def test_a_mistake_gives_the_line_beside_it(
    block: Block, said: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said.language == "text"
    monkeypatch.chdir(tmp_path)
    Path("my_space.yaml").write_text(block.text)
    with pytest.raises(InvalidInput) as caught:
        load_space("my_space.yaml")
    assert f"{caught.value}\n" == said.text


def test_every_key_of_the_file_is_told() -> None:
    keys = {re.split(r"[:\[ ]", first)[0] for first in rows()}
    assert keys >= {*SpaceDefinition.model_fields, *OF_ENTRY}
    conditions = TEXT[TEXT.index("## Conditions") :]
    assert all(f"{key}:" in conditions for key in ASKED)


def test_every_field_has_its_row() -> None:
    of_network = {name for name in ArchSpec.model_fields if name != "unit"}
    assert {*of_network, *UnitOverride.model_fields} <= set(rows())
    assert {*OTHERS, "kind"} == set(UnitOverride.model_fields)


def test_every_backbone_and_kind_is_told() -> None:
    told = rows()
    assert re.findall(r"`(\w+)`", told["backbone"][1]) == list(BACKBONES)
    assert re.findall(r"`(\w+)`", told["kind"][2]) == list(UNITS)


@pytest.mark.parametrize("field", OTHERS)
def test_the_kinds_of_a_field_are_those_it_changes(field: str) -> None:
    """By the keys of networks, which are equal exactly when the networks are."""
    kinds = [kind for kind in UNITS if kind != "none"]
    changed = [kind for kind in kinds if _changes(kind, field)]
    told = rows()[field][0]
    if told.startswith("all"):
        excepted = told.removeprefix("all").removeprefix(" but ").split()
        assert set(changed) == set(kinds) - set(excepted)
    else:
        assert set(told.split(", ")) == set(changed)
    assert not _changes("none", field)


@pytest.mark.parametrize("field", OTHERS)
def test_the_values_and_the_default_are_those_of_the_code(field: str) -> None:
    _, _, values, default = rows()[field]
    wanted = UnitSpec.model_fields[field].default
    text = "the paper's" if wanted is None else json.dumps(wanted).strip('"')
    assert default.strip("`").startswith(text)
    named = re.findall(r"`(\w+)`", values)
    for value in named:
        assert UnitOverride.model_validate({field: value})
    accepted = {value for value in OTHERS[field] if isinstance(value, str)}
    assert accepted <= set(named) | set(re.findall(r"`(\w+)`", rows()[field][1]))


def _changes(kind: str, field: str) -> bool:
    base: dict[str, Any] = {"backbone": "shufflenet_v2", "width": 0.5, "input_size": 32}
    usual = ArchSpec(**base, unit=UnitSpec(kind=kind))
    for value in OTHERS[field]:
        try:
            other = ArchSpec(**base, unit=UnitSpec(**{"kind": kind, field: value}))
        except ValueError:
            continue  # the kind does not take it
        if other.key != usual.key:
            return True
    return False
