"""Measures the latency of the networks in this folder on this device: python bench.py [FOLDER...]

A folder is a bundle of nas export or a suite of nas latency suite.

Each call takes one image. The networks take turns in random order, so that other work on the device
affects all of them alike. The first call of a turn fills the caches and is not timed. The program prints
the p50, the p90 and the shortest time; a p90 far above the p50 means that the device is busy.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from device import cpu_name, device
from runtime import (
    MICRO,
    MODULES,
    Refused,
    artifacts_of,
    nothing_runs,
    read_manifest,
    shortened,
)
from suite import is_suite, read_suite

FORMAT = 2
BUSY = 1.25
"""A p90 above this multiple of the p50 means that the device is busy."""
FEWEST_TURNS = 10
SECONDS, SECONDS_IN_A_SUITE = 2.0, 0.2
"""Per network of a bundle, and per benchmark of a suite, which has hundreds."""
MOST_SECONDS = 3600


@dataclass(frozen=True)
class Setting:
    """How to measure: ``warmup`` untimed calls, then turns of ``runs`` calls for ``seconds``.

    If ``seconds`` is None, it is SECONDS_IN_A_SUITE with a suite and SECONDS without one.
    """

    threads: int
    warmup: int
    runs: int
    seconds: float | None


@dataclass(frozen=True)
class Latency:
    """The latency of one image in milliseconds.

    Attributes:
        folder: The folder, as it was given.
        key: Key of the network, or of the block in a suite.
        arch: The network; None for a block.
        network: Runtime and precision, such as onnx-int8.
        n: Number of timed calls.
        p50: Median.
        p90: 90th percentile.
        least: The fastest call.
        busy: Whether the spread shows that the device was busy.
    """

    folder: str
    key: str
    arch: dict[str, Any] | None
    network: str
    n: int
    p50: float
    p90: float
    least: float
    busy: bool


def main() -> int:
    """Measure and print.

    Returns:
        Exit code: 0; 1 with --strict on a busy device; 2 after a one-line error.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    here = Path(__file__).resolve().parent
    parser.add_argument("folders", nargs="*", type=Path, help="default: the folder of this file")
    parser.add_argument(
        "--networks", help="such as onnx,ncnn or onnx-int8; default: all that can run"
    )
    parser.add_argument("--threads", type=int, default=1, help="default 1")
    parser.add_argument("--warmup", type=int, default=20, help="untimed calls, default 20")
    parser.add_argument("--runs", type=int, default=10, help="calls per turn, default 10")
    parser.add_argument(
        "--seconds", type=float, help=f"least time per network; default {SECONDS:g}, "
        f"with a suite {SECONDS_IN_A_SUITE:g}"
    )  # fmt: skip
    parser.add_argument("--strict", action="store_true", help="exit code 1 when the device is busy")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    setting = Setting(options.threads, options.warmup, options.runs, options.seconds)
    try:
        found = measure(options.folders or [here], options.networks, setting)
    except Refused as refused:
        print(f"bench.py: {refused}", file=sys.stderr)
        return 2
    if options.json:
        packages = [package.split()[0] for _, package in MODULES.values()]
        latencies = [asdict(one) for one in found]
        where = {"format": FORMAT, "device": device(packages), "setting": asdict(setting)}
        print(json.dumps({**where, "latencies": latencies}, indent=1))
    else:
        print(table(found))
    busy = any(one.busy for one in found)
    if busy:
        print("bench.py: the times spread widely: is the device busy, or too hot?", file=sys.stderr)
    return 1 if busy and options.strict else 0


def measure(folders: list[Path], only: str | None, setting: Setting) -> list[Latency]:
    """The latencies of the networks in ``folders`` whose runtimes are installed."""
    if not (1 <= setting.runs <= 10**6 and 0 <= setting.warmup <= 10**6):
        raise Refused("--runs: allowed: 1 to a million; --warmup: 0 to a million")
    usual = SECONDS_IN_A_SUITE if any(map(is_suite, folders)) else SECONDS
    seconds = usual if setting.seconds is None else setting.seconds
    if not 0 < seconds <= MOST_SECONDS:
        raise Refused(f"--seconds {seconds}: allowed: above 0, at most {MOST_SECONDS}")
    works = [work for folder in folders for work in _works(folder, only, setting.threads)]
    if not works:
        raise Refused("; ".join(map(_why_none, folders)))
    for work in works:
        try:
            for _ in range(1 + setting.warmup):
                work.run(work.image)
        except Exception as error:  # a runtime may raise anything
            reason = shortened(error)
            raise Refused(
                f"{work.folder}: {work.network} fails on an image of its own size ({reason})"
            ) from None
    times: list[list[float]] = [[] for _ in works]
    order, generator = list(range(len(works))), random.Random(0)
    spent, turns = 0.0, 0
    while turns < FEWEST_TURNS or spent < seconds * len(works):
        generator.shuffle(order)
        for index in order:
            run, image, taken = works[index].run, works[index].image, times[index]
            run(image)  # untimed: it refills the caches that the network before used
            for _ in range(setting.runs):
                start = time.perf_counter()
                run(image)
                taken.append(time.perf_counter() - start)
            spent += sum(taken[-setting.runs :])
        turns += 1
    return [work.latency(np.array(taken) * 1e3) for work, taken in zip(works, times)]  # noqa: B905  # Python 3.8


def _why_none(folder: Path) -> str:
    """Why no network of a bundle is measured."""
    found = artifacts_of(folder)
    if not found:
        reason: str = nothing_runs(folder)
        return reason
    timed = [one.target for one in found if one.target not in MICRO]
    if not timed:
        names = ",".join(one.name for one in found)
        return (
            f"{folder}: {names} is for a microcontroller, whose speed is another; --networks {names} "
            "measures it here all the same"
        )
    packages = ", ".join(MODULES[target][1] for target in dict.fromkeys(timed))
    return f"{folder}: no runtime of its networks is installed; pip install one of: {packages}"


@dataclass(frozen=True)
class _Work:
    """A network to measure and its input."""

    folder: str
    key: str
    arch: dict[str, Any] | None
    network: str
    run: Callable[[Any], Any]
    image: Any

    def latency(self, times: Any) -> Latency:
        p50, p90 = (float(np.percentile(times, share)) for share in (50, 90))
        return Latency(
            self.folder, self.key, self.arch, self.network, len(times), p50, p90,
            float(times.min()), p90 > BUSY * p50,
        )  # fmt: skip


def _works(folder: Path, only: str | None, threads: int) -> Iterator[_Work]:
    generator = np.random.default_rng(0)
    if is_suite(folder):
        benchmarks = read_suite(folder)
        names = {benchmarks[0].artifact.name, benchmarks[0].artifact.target}
        if only is not None and not names.intersection(map(str.strip, only.split(","))):
            raise Refused(f"{only}: no such network in {folder}; allowed: {max(names)}")
        for benchmark in benchmarks:
            image = generator.standard_normal(benchmark.shape, dtype=np.float32)
            name, network = benchmark.artifact.name, benchmark.artifact.open(threads)
            given = network.given(image)  # once, before the clock runs
            yield _Work(str(folder), benchmark.key, benchmark.arch, name, network.run, given)
        return
    manifest = read_manifest(folder)
    how = manifest["preprocessing"]
    shape = (1, how["channels"], how["size"], how["size"])
    image = generator.standard_normal(shape, dtype=np.float32)
    for artifact in artifacts_of(folder, only):
        if artifact.target in MICRO and only is None:
            continue  # its speed here says nothing of the chip
        if artifact.can_run or only is not None:
            key, arch, network = manifest["key"], manifest.get("spec"), artifact.open(threads)
            given = network.given(image)
            yield _Work(str(folder), key, arch, artifact.name, network.run, given)


def table(found: list[Latency]) -> str:
    """The latencies as a text table."""
    lines = [f"{'network':<32}{'n':>7}{'p50 ms':>10}{'p90 ms':>10}{'least ms':>10}"]
    folders = {one.folder for one in found}
    for one in found:
        if one.arch is None:
            continue
        name = one.network if len(folders) == 1 else f"{Path(one.folder).name} {one.network}"
        busy = "  busy" if one.busy else ""
        lines.append(
            f"{name:<32}{one.n:>7}{one.p50:>10.3f}{one.p90:>10.3f}{one.least:>10.3f}{busy}"
        )
    benchmarks = sum(one.arch is None for one in found)
    lines += [f"and {benchmarks} benchmarks of networks: see --json"] * bool(benchmarks)
    return "\n".join([*lines, f"{cpu_name()}, one image at a time"])


if __name__ == "__main__":
    sys.exit(main())
