"""The file of published figures against figures typed from the papers once more."""

from __future__ import annotations

import csv

import pytest

from blocks.errors import InvalidInput
from nas.paper import NETWORKS, TITLES, PublishedRow, read_published
from nas.paper.published import CSV

# table, row, top-1 error, #P in millions, multiply-adds in millions
SPOTS = [
    ("1", "ResNeXt-50 (32x4d)", 22.23, 25.0, 4240),
    ("1", "SENet-50", 21.12, 27.7, 4250),
    ("1", "SKNet-50", 20.79, 27.5, 4470),
    ("2", "ResNeXt-50 + BAM", 21.70, 25.4, 4310),
    ("2", "ResNeXt-101 + CBAM", 20.60, 49.2, 8000),
    ("2", "SENet-101", 20.58, 49.2, 8000),
    ("2", "SKNet-101", 20.19, 48.9, 8460),
    ("2", "InceptionV4", None, 42.0, 12310),
    ("2", "Attention-92", None, 51.3, 10430),
    ("2", "DPN-98", 20.20, 61.6, 11700),
    ("3", "ResNeXt-50, wider", 22.13, 28.1, 4740),
    ("3", "ResNeXt-56, deeper", 22.04, 27.3, 4670),
    ("3", "ResNeXt-50 (36x4d)", 22.00, 27.6, 4700),
    ("4", "ShuffleNetV2 0.5x [27]", 39.70, 1.4, 41),
    ("4", "ShuffleNetV2 0.5x", 38.41, 1.40, 40.39),
    ("4", "ShuffleNetV2 0.5x + SE", 36.34, 1.56, 40.85),
    ("4", "ShuffleNetV2 0.5x + SK", 35.35, 1.48, 42.58),
    ("4", "ShuffleNetV2 1.0x [27]", 30.60, 2.3, 146),
    ("4", "ShuffleNetV2 1.0x", 30.57, 2.45, 140.35),
    ("4", "ShuffleNetV2 1.0x + SE", 29.47, 2.66, 141.73),
    ("4", "ShuffleNetV2 1.0x + SK", 28.36, 2.63, 145.66),
    ("5", "SKNet-29 (C10)", 3.47, 27.7, None),
    ("5", "SKNet-29 (C100)", 17.33, 27.7, None),
    ("5", "ResNeXt-29, 16x64d (C100)", 17.31, 68.1, None),
    ("6", "5x5, D 1, G 64", 20.80, 28.1, 4560),
    ("6", "7x7, D 1, G 128", 21.18, 28.1, 4550),
    ("7", "K7", 25.51, 25.0, 4240),
    ("7", "K5 + K7", 23.64, 26.5, 4460),
    ("7", "K3 + K5 + K7, SK", 20.76, 29.3, 4700),
    ("se", "SE-ResNet-50, r 2", 22.29, 45.7, None),
    ("se", "SE-ResNet-50, r 32", 22.72, 26.9, None),
    ("se", "MobileNet 1.0 + SE (2019)", 25.3, 4.7, 572),
    ("se", "ShuffleNet 1x g3 + SE (2018)", 31.7, 2.4, 142),
    ("gc", "ResNet-50", 23.12, 25.56, 3860),
    ("gc", "+1 NL", 22.80, 27.66, 4110),
    ("gc", "+all GC (att + add)", 22.30, 28.08, 3870),
    ("gc", "avg + scale (SENet)", 22.74, 28.07, 3870),
]

ROWS_OF = {"1": 3, "2": 17, "3": 5, "4": 8, "5": 10, "6": 5, "7": 11, "se": 14, "gc": 8}


def row_of(table: str, network: str) -> PublishedRow:
    (row,) = [one for one in read_published(table) if one.network == network]
    return row


@pytest.mark.parametrize(("table", "network", "error", "params", "mflops"), SPOTS)
def test_figures_are_those_of_the_papers(
    table: str, network: str, error: float | None, params: float, mflops: float | None
) -> None:
    row = row_of(table, network)
    assert (row.error, row.params, row.mflops) == (error, params, mflops)


def test_errors_on_larger_crops_and_among_five() -> None:
    assert row_of("2", "SKNet-50").error_320 == 19.32
    assert row_of("2", "InceptionV3").error_320 == 21.20
    assert row_of("se", "SE-ResNet-50, r 16").error_top5 == 6.03
    assert row_of("gc", "+1 GC").error_top5 == pytest.approx(100 - 93.52)


def test_every_table_has_all_its_rows_and_no_other() -> None:
    with CSV.open(encoding="utf-8", newline="") as file:
        named = [fields["table"] for fields in csv.DictReader(file)]
    assert {name: named.count(name) for name in named} == ROWS_OF
    assert set(ROWS_OF) == set(TITLES) == set(NETWORKS)


@pytest.mark.parametrize("table", list(TITLES))
def test_every_row_has_a_source_and_one_network(table: str) -> None:
    rows = read_published(table)
    assert all(row.source and row.params for row in rows)
    counted = [network.row for network in NETWORKS[table] if not network.less]
    assert counted == [row.network for row in rows]
    names = [network.name for network in NETWORKS[table]]
    assert len(set(names)) == len(names)
    for network in NETWORKS[table]:
        assert {network.row, network.less, network.flops_from} <= {"", *counted}
        assert network.arch is not None or network.reason


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"unknown table '8'; allowed: 1, 2, .*gc"):
        read_published("8")
