"""Makes the latency table of a device from its measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from blocks import ArchSpec
from blocks.errors import InvalidInput
from nas.cost.latency.blocks import plain_of
from nas.cost.latency.measurements import Measured, Measurements
from nas.cost.latency.table import Fit, LatencyTable

Column: TypeAlias = NDArray[np.float64]

MOST_BUSY = 0.05
"""Largest share of busy measurements; one busy measurement is always allowed."""
MOST_ERROR = 0.2
"""Largest median error of a table, as a share of the measured latency."""


def make_table(
    name: str,
    measurements: Sequence[Measurements],
    *,
    network: str | None = None,
    allow_busy: bool = False,
) -> LatencyTable:
    """The table of one device, runtime and precision.

    Args:
        name: The user's name for the device.
        measurements: All measurements of that device; the later one of a repeated benchmark counts.
        network: Runtime and precision, such as onnx-fp32; None, the default: the only one.
        allow_busy: Accept measurements of a busy device, and a table with a large error; default
            False.

    Raises:
        InvalidInput: The measurements are of several devices, settings or networks, or lack a
            whole suite; the device was busy; the error of the table is too large.
    """
    first = measurements[0]
    for other in measurements[1:]:
        if (other.device, other.setting) != (first.device, first.setting):
            raise InvalidInput(
                "the files are of several devices or settings; allowed: one device, one set of "
                "runtime versions and one number of threads"
            )
    network = network or _only_network(measurements)
    found = [
        one for one_file in measurements for one in one_file.latencies if one.network == network
    ]
    benchmarks = {one.key: one.p50 for one in found if one.arch is None}
    if not benchmarks:
        raise InvalidInput(
            f"no benchmarks of networks for {network}; allowed: the measurements of bench.py on a "
            "folder that nas latency suite wrote"
        )
    _check_idle(found, allow_busy)
    wholes = {one.key: (one.arch, one.p50) for one in found if one.arch is not None}
    plains = {key: ms for key, (spec, ms) in wholes.items() if plain_of(spec).key == key}
    table = LatencyTable(
        name=name,
        device=first.device,
        network=network,
        threads=first.setting.threads,
        scale=1.0,
        fit=Fit(networks=0, median_error=None, worst_error=None),
        plains=plains,
        blocks=benchmarks,
    )
    if not plains:
        raise InvalidInput(
            f"no plain network was measured for {network}; allowed: the measurements for a whole suite"
        )
    others = [(spec, ms) for key, (spec, ms) in wholes.items() if key not in plains]
    table = _calibrated(table, others)
    error = table.fit.median_error
    if error is not None and error > MOST_ERROR and not allow_busy:
        raise InvalidInput(
            f"the table predicts the networks that were measured whole with a median error of "
            f"{100 * error:.0f} %; allowed: at most {100 * MOST_ERROR:.0f} %: measure again when the "
            "device is idle, or --allow-busy"
        )
    return table


def _only_network(measurements: Sequence[Measurements]) -> str:
    there = sorted({one.network for one_file in measurements for one in one_file.latencies})
    if len(there) > 1:
        raise InvalidInput(f"--network is missing; allowed: {', '.join(there)}")
    return there[0]


def _check_idle(found: Sequence[Measured], allow_busy: bool) -> None:
    busy = sum(one.busy for one in found)
    if busy > max(1, MOST_BUSY * len(found)) and not allow_busy:
        raise InvalidInput(
            f"{busy} of {len(found)} measurements spread widely: the device was busy or too hot; "
            "allowed: measure again when it is idle, or --allow-busy"
        )


def _calibrated(table: LatencyTable, networks: Sequence[tuple[ArchSpec, float]]) -> LatencyTable:
    """``table`` with the scale that fits whole networks best, and its leave-one-out errors."""
    known = []
    for spec, ms in networks:
        try:
            known.append((table.plain(spec), table.added(spec), ms))
        except InvalidInput:
            continue  # a network of another space that was measured in the same call
    if not known:
        return table
    plain, added, measured = (np.array(column) for column in zip(*known, strict=True))
    errors = np.array(
        [
            abs((plain[i] + _scale(*_without(i, plain, added, measured)) * added[i]) / ms - 1)
            for i, ms in enumerate(measured)
        ]
    )
    fit = Fit(
        networks=len(known),
        median_error=float(np.median(errors)),
        worst_error=float(errors.max()),
    )
    return table.model_copy(update={"scale": _scale(plain, added, measured), "fit": fit})


def _scale(plain: Column, added: Column, measured: Column) -> float:
    """The factor of ``added`` with the least squared relative errors; 1 without networks."""
    weights = float(((added / measured) ** 2).sum())
    if weights == 0:
        return 1.0
    scale = float((added * (measured - plain) / measured**2).sum()) / weights
    return scale if scale > 0 else 1.0


def _without(index: int, *columns: Column) -> list[Column]:
    return [np.delete(column, index) for column in columns]
