"""The printed figures of the papers, from published.csv."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from blocks.errors import InvalidInput

CSV = Path(__file__).with_name("published.csv")

TITLES = {
    "1": "SKNet, Table 1: the three networks of fifty layers",
    "2": "SKNet, Table 2: the state of the art",
    "3": "SKNet, Table 3: more depth, width or cardinality instead",
    "4": "SKNet, Table 4: lightweight networks",
    "5": "SKNet, Table 5: CIFAR",
    "6": "SKNet, Table 6: the second branch of SKNet-50",
    "7": "SKNet, Table 7: combinations of kernels in SKNet-50",
    "se": "SENet: the ratio r, and mobile networks",
    "gc": "GCNet, Table 4: blocks in ResNet-50",
}
"""Name of a table in the file and on the command line -> its title."""


@dataclass(frozen=True)
class PublishedRow:
    """One row of a paper's table, as printed; None for figures that are not printed.

    Attributes:
        table: Key of TITLES.
        network: Name of the row, unique in its table.
        error: Top-1 error in percent: of ImageNet on a single 224x224 crop, in Table 5 of CIFAR.
        error_top5: Top-5 error in percent.
        error_320: Top-1 error in percent on a 320x320 crop, as in the table's heading; the Inception
            networks are published for 299.
        params: Parameters, in millions.
        mflops: Multiply-adds, in millions.
        in_mflops: Whether they are printed in millions, as for mobile networks, and not in billions.
        source: The paper and its table.
    """

    table: str
    network: str
    error: float | None
    error_top5: float | None
    error_320: float | None
    params: float | None
    mflops: float | None
    in_mflops: bool
    source: str


def check_table(name: str) -> None:
    """Raise InvalidInput when the table does not exist."""
    if name not in TITLES:
        raise InvalidInput(f"unknown table {name!r}; allowed: {', '.join(TITLES)}")


def read_published(table: str) -> tuple[PublishedRow, ...]:
    """The rows of one table, in its order.

    Raises:
        InvalidInput: The table does not exist.
    """
    check_table(table)
    with CSV.open(encoding="utf-8", newline="") as file:
        return tuple(_row(fields) for fields in csv.DictReader(file) if fields["table"] == table)


def _row(fields: dict[str, str]) -> PublishedRow:
    def number(name: str) -> float | None:
        return float(fields[name]) if fields[name] else None

    gflops, mflops = number("gflops"), number("mflops")
    return PublishedRow(
        table=fields["table"],
        network=fields["network"],
        error=number("error"),
        error_top5=number("error_top5"),
        error_320=number("error_320"),
        params=number("params_m"),
        # Rounded, since 4.47 * 1000 is not 4470 in binary.
        mflops=mflops if gflops is None else round(gflops * 1000, 6),
        in_mflops=mflops is not None,
        source=fields["source"],
    )
