"""Compares the papers' figures with our counts, within tolerances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from blocks.counting import Counts
from nas.cost import count
from nas.paper.libraries import LibraryNetwork, NotInstalled
from nas.paper.networks import NETWORKS, Network
from nas.paper.published import PublishedRow, read_published

Status: TypeAlias = Literal["ok", "out", "not reproducible", "cited"]


@dataclass(frozen=True)
class Figures:
    """Parameters and multiply-adds in millions; None if not given."""

    params: float | None
    mflops: float | None

    def __sub__(self, other: Figures) -> Figures:
        return Figures(_less(self.params, other.params), _less(self.mflops, other.mflops))


@dataclass(frozen=True)
class Tolerance:
    """The largest allowed difference from the printed figure: the larger of a share and a number.

    Attributes:
        share: Share of the printed figure.
        params: Millions of parameters.
        mflops: Millions of multiply-adds.
    """

    share: float
    params: float
    mflops: float

    def allows(self, printed: Figures, difference: Figures) -> bool:
        """Whether ``difference`` is within the tolerance; True if there is no printed figure."""
        pairs = (
            (printed.params, difference.params, self.params),
            (printed.mflops, difference.mflops, self.mflops),
        )
        return all(
            apart is None or figure is None or abs(apart) <= max(self.share * abs(figure), floor)
            for figure, apart, floor in pairs
        )


LARGE = Tolerance(share=0.005, params=0.12, mflops=10)
"""The papers print steps of 0.1M parameters and 0.01 G, and count a little more than convolutions."""

MOBILE = Tolerance(share=0.02, params=0.05, mflops=0)
"""For rows printed in MFLOPs: 10 MFLOPs may be a quarter of the network there."""


@dataclass(frozen=True)
class Comparison:
    """One row: the paper's figures and ours.

    Attributes:
        network: How the row is counted.
        row: The printed row.
        printed: The printed figures, or their differences from another row.
        ours: The same figures of our count; None if nothing was counted.
        difference: Our figures minus the printed ones.
        status: The result of the comparison.
        note: The reason of a status other than ok and out, or a remark.
    """

    network: Network
    row: PublishedRow
    printed: Figures
    ours: Figures | None
    difference: Figures | None
    status: Status
    note: str


def compare(table: str) -> tuple[Comparison, ...]:
    """Count every row of one table that can be counted.

    Raises:
        InvalidInput: The table does not exist.
    """
    rows = {row.network: row for row in read_published(table)}
    plain = {one.row: one for one in NETWORKS[table] if not one.less}
    return tuple(_compare(one, rows, plain) for one in NETWORKS[table])


def _compare(
    network: Network, rows: dict[str, PublishedRow], plain: dict[str, Network]
) -> Comparison:
    row = rows[network.row]
    printed = _printed(row)
    exact, missing = _count(network)
    if network.less:
        printed = printed - _printed(rows[network.less])
    if exact is None:
        note = missing or network.reason
        return Comparison(network, row, printed, None, None, "cited", note)
    ours = _figures(exact)
    if network.less:
        ours = ours - _figures_of(plain[network.less])
    # All figures are compared, or the multiply-adds minus those of another row.
    basis, counted = printed, ours
    if network.flops_from:
        printed_above = printed - _printed(rows[network.flops_from])
        ours_above = ours - _figures_of(plain[network.flops_from])
        basis = Figures(printed.params, printed_above.mflops)
        counted = Figures(ours.params, ours_above.mflops)
    difference = counted - basis
    status: Status = "not reproducible"
    if not network.reason:
        tolerance = MOBILE if row.in_mflops else LARGE
        status = "ok" if tolerance.allows(basis, difference) else "out"
    note = network.reason or network.note
    if isinstance(network.arch, LibraryNetwork):
        note = "; ".join(filter(None, (network.arch.about, note)))
    return Comparison(network, row, printed, ours, difference, status, note)


def _count(network: Network) -> tuple[Counts | None, str]:
    """The counts of a whole network, or the reason why there are none."""
    spec = network.spec
    if spec is not None:
        return count(spec), ""
    if isinstance(network.arch, LibraryNetwork):
        try:
            return network.arch.count(), ""
        except NotInstalled as error:
            return None, str(error)
    return None, ""


def _figures_of(network: Network) -> Figures:
    counts, _ = _count(network)
    return Figures(None, None) if counts is None else _figures(counts)


def _figures(counts: Counts) -> Figures:
    return Figures(counts.params / 1e6, counts.mflops)


def _printed(row: PublishedRow) -> Figures:
    return Figures(row.params, row.mflops)


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
