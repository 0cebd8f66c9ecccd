"""The spaces that come along."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks import ArchSpec, InvalidInput, UnitSpec
from search_spaces import SPACES, load_space
from tests.search_spaces.space_helpers import MIXED, SMALL, define


def test_the_shipped_spaces() -> None:
    assert SPACES == (
        "efficientnet_lite0_sk",
        "efficientnet_lite0_sk_stages",
        "mcu_sk",
        "mobilenet_v2_sk",
        "mobilenet_v3_sk",
        "mobilenet_v3_sk_stages",
        "quickstart",
        "shufflenet_v2_sk",
        "shufflenet_v2_sk_stages",
        "table4",
    )
    for name in SPACES:
        space = load_space(name)
        assert space.definition.name == name
        assert 20 < len(space.definition.about) < 100


def test_table4_is_the_papers_six_networks() -> None:
    paper = [
        ArchSpec(
            backbone="shufflenet_v2",
            width=width,
            unit=UnitSpec(kind=kind, dilations=(1, 2), reduction=16, min_dim=32),
        )
        for width in (0.5, 1.0)
        for kind in ("none", "se", "sk")
    ]
    assert [spec.key for spec in load_space("table4").enumerate()] == [s.key for s in paper]


def test_quickstart_is_small() -> None:
    size = load_space("quickstart").bind(**SMALL).size()
    assert size is not None
    assert 50 < size < 500


@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        ("quickstart", "shufflenet_v2"),
        ("shufflenet_v2_sk", "shufflenet_v2"),
        ("mobilenet_v2_sk", "mobilenet_v2"),
        ("table4", "shufflenet_v2"),
    ],
)
def test_the_plain_network_is_in_the_space(name: str, backbone: str) -> None:
    space = load_space(name).bind(**SMALL)
    plain = ArchSpec(
        backbone=backbone, width=0.5, stem_stride=1, unit=UnitSpec(kind="none"), **SMALL
    )
    assert space.from_params(space.to_params(plain)).key == plain.key


def test_both_sizes_of_mobilenet_v3_are_in_the_space() -> None:
    space = load_space("mobilenet_v3_sk").bind(**SMALL)
    params = space.to_params(next(space.enumerate()))
    found = {
        space.from_params({**params, "backbone": backbone}).backbone
        for backbone in space.distributions()["backbone"].choices  # type: ignore[attr-defined]
    }
    assert found == {"mobilenet_v3_small", "mobilenet_v3_large"}


def test_a_space_is_read_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my.yaml").write_text(MIXED)
    (tmp_path / "my").write_text(MIXED)
    monkeypatch.chdir(tmp_path)
    for name in ("my.yaml", "./my", str(tmp_path / "my.yaml")):
        assert load_space(name).definition == define(MIXED)


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(InvalidInput) as caught:
        load_space("resnet")
    for name in SPACES:
        assert name in str(caught.value)
    assert "path to a YAML file" in str(caught.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"^nowhere\.yml: no such file$"):
        load_space("nowhere.yml")
