r"""The error of a device's latency table on unseen networks.

Claim: the sum of measured benchmarks orders the networks of a space as their measured latency does
(Spearman at least 0.95) and is off by less than a tenth (median), where multiply-adds and activations
are not. They are given the best line through the networks that calibrate the table. All benchmarks and
networks of a runtime take turns in one process; the unseen ones are none of the calibrating ones.

Left out: other processors than this one.

Of the page: n = 30 networks; one thread of an AMD EPYC.

    python benchmarks/latency_table.py --build [--workers 2]     # exports; goes on where it was stopped
    python benchmarks/latency_table.py [--write] [--json]        # measures; wants an idle machine

With --write, docs/results/latency_table/ gets networks.csv, summary.csv and machine.json.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from machine import write_machine
from rows import write_rows
from scipy.stats import spearmanr

from blocks import ArchSpec
from nas.cost import COSTS, Budgets, LatencyTable
from nas.cost.latency import Measurements, make_table
from nas.data import DataConfig, load_data
from nas.exporting import Benchmark, bench, benchmarks_of, write_suite
from nas.searching import find_candidates
from search_spaces import load_space

OUT = Path("docs/results/latency_table")
SUITES = Path("runs/latency")
NETWORKS = ("onnx-fp32", "onnx-int8", "executorch-fp32", "litert-fp32", "ncnn-fp32")
UNSEEN = 30
TIMEOUT = 3600


@dataclass(frozen=True)
class Row:
    """One unseen network in one runtime; milliseconds, measured and told by each means."""

    runtime: str
    key: str
    width: float
    stem_stride: int
    unit: str
    mflops: float
    activations: int
    measured: float
    table: float
    by_mflops: float
    by_activations: float


@dataclass(frozen=True)
class Summary:
    """How well one means tells the latency of the unseen networks; errors in percent."""

    runtime: str
    means: str
    networks: int
    benchmarks: int
    spearman: float
    median_error: float
    worst_error: float


def suites(space: str, data: str) -> tuple[list[Benchmark], list[Benchmark]]:
    """The benchmarks of a space, and networks that are neither among them nor calibrate them."""
    info = load_data(DataConfig(name=data)).info
    bound = load_space(space).bind(
        num_classes=info.num_classes, in_channels=info.in_channels, input_size=info.input_size
    )
    specs = find_candidates(bound, Budgets(), seed=0).specs
    benchmarks = benchmarks_of(specs.values(), seed=0)
    seen = {benchmark.key for benchmark in benchmarks}
    fresh = [spec for key, spec in specs.items() if key not in seen]
    shape = benchmarks[0].shape
    drawn = random.Random(1).sample(fresh, UNSEEN)
    return benchmarks, [Benchmark(spec.key, spec, "", shape) for spec in drawn]


def build(network: str, parts: tuple[list[Benchmark], list[Benchmark]], workers: int) -> None:
    """Export what is not there yet."""
    target, precision = network.split("-")
    for folder, benchmarks in zip(folders(network), parts, strict=True):
        if not (folder / "suite.json").is_file():
            print(f"{folder}: {len(benchmarks)} benchmarks", file=sys.stderr, flush=True)
            write_suite(folder, benchmarks, target, precision, workers=workers)  # type: ignore[arg-type]


def folders(network: str) -> tuple[Path, Path]:
    """The suite, and the unseen networks."""
    return SUITES / f"benchmark-{network}", SUITES / f"benchmark-{network}-unseen"


def measure(network: str, seconds: float) -> tuple[LatencyTable, list[ArchSpec], list[Row]]:
    """The table of this machine, its calibrating networks, and what it says of unseen ones."""
    suite, unseen = folders(network)
    found = bench(suite, [str(unseen), "--json", "--seconds", str(seconds)], timeout=TIMEOUT)
    apart = {one["key"] for one in found["latencies"] if one["folder"] == str(unseen)}
    latencies = found.pop("latencies")
    seen = Measurements.model_validate(
        {**found, "latencies": [one for one in latencies if one["key"] not in apart]}
    )
    table = make_table("this", [seen])
    known = [(one.arch, one.p50) for one in seen.latencies if one.arch is not None]
    lines = {name: line([s for s, _ in known], [ms for _, ms in known], name) for name in COSTS}
    rows = []
    for one in latencies:
        if one["key"] in apart:
            spec = ArchSpec.model_validate(one["arch"])
            by = {name: float(np.polyval(lines[name], COSTS[name](spec))) for name in COSTS}
            rows.append(
                Row(
                    network, spec.key, spec.width, spec.stem_stride, spec.label,
                    COSTS["mflops"](spec), int(COSTS["activations"](spec)),
                    one["p50"], table.predict(spec), by["mflops"], by["activations"],
                )
            )  # fmt: skip
    return table, [spec for spec, _ in known], rows


def line(specs: Sequence[ArchSpec], measured: Sequence[float], cost: str) -> np.ndarray:
    """The line of the least squares of relative errors."""
    costs = [COSTS[cost](spec) for spec in specs]
    return np.polyfit(costs, measured, 1, w=1 / np.array(measured))


def summarise(rows: Sequence[Row], benchmarks: int) -> list[Summary]:
    """The table beside multiply-adds and activations."""
    measured = np.array([row.measured for row in rows])
    found = []
    for means in ("table", "by_mflops", "by_activations"):
        told = np.array([getattr(row, means) for row in rows])
        errors = 100 * np.abs(told / measured - 1)
        rank = spearmanr(told, measured).statistic
        found.append(
            Summary(
                rows[0].runtime, means.removeprefix("by_"), len(rows), benchmarks, float(rank),
                float(np.median(errors)), float(errors.max()),
            )
        )  # fmt: skip
    return found


def main() -> int:
    """Build or measure, print, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=",".join(NETWORKS), help="runtimes and precisions")
    parser.add_argument("--space", default="shufflenet_v2_sk")
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--build", action="store_true", help="export, measure nothing")
    parser.add_argument("--workers", type=int, default=1, help="processes that export")
    parser.add_argument("--seconds", type=float, default=0.2, help="a benchmark")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help=f"into {OUT}")
    options = parser.parse_args()
    networks = options.networks.split(",")
    if options.build:
        parts = suites(options.space, options.data)
        for network in networks:
            build(network, parts, options.workers)
        return 0
    rows, summaries = [], []
    for network in networks:
        table, _, found = measure(network, options.seconds)
        rows += found
        summaries += summarise(found, len(table.blocks))
        if not options.json:
            for one in summaries[-3:]:
                print(
                    f"{one.runtime:<16}{one.means:<14}n {one.networks}  Spearman {one.spearman:6.3f}"
                    f"  median error {one.median_error:5.1f} %  worst {one.worst_error:6.1f} %",
                    flush=True,
                )
    if options.write:
        write_rows(OUT / "networks.csv", rows)
        write_rows(OUT / "summary.csv", summaries)
        write_machine(OUT)
    if options.json:
        print(json.dumps({"summary": [*map(asdict, summaries)], "rows": [*map(asdict, rows)]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
