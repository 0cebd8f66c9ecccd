"""Latency of the networks of this folder on this device: python bench.py [FOLDER...]

One image at a time. The networks take turns in random order, so that what else the device does hits all
alike; the first call of a turn, which finds the caches full of the others, is not timed. p50, p90 and
the least time are printed; a p90 far above the p50 means that the device is busy.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from device import cpu_name, device
from runtime import MODULES, Refused, Run, artifacts_of, read_manifest

FORMAT = 1
BUSY = 1.25
"""A p90 above this multiple of the p50 says that something else is running."""
FEWEST_TURNS = 10
MOST_SECONDS = 3600


@dataclass(frozen=True)
class Setting:
    """How to measure: ``warmup`` untimed calls, then turns for ``seconds``, of ``runs`` calls each."""

    threads: int
    warmup: int
    runs: int
    seconds: float


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one image.

    Attributes:
        folder: Of the bundle, as it was given.
        key: Of the network.
        network: Runtime and precision, such as onnx-int8.
        n: Calls timed.
        p50: Median.
        p90: Nine of ten calls took no longer.
        least: The fastest call.
        busy: Whether the spread says that the device did something else as well.
    """

    folder: str
    key: str
    network: str
    n: int
    p50: float
    p90: float
    least: float
    busy: bool


def main() -> int:
    """Measure and print; 0, 1 with --strict on a busy device, or 2 after one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    here = Path(__file__).resolve().parent
    parser.add_argument("folders", nargs="*", type=Path, help="default: the one of this file")
    parser.add_argument(
        "--networks", help="such as onnx,ncnn or onnx-int8; default: all that can run"
    )
    parser.add_argument("--threads", type=int, default=1, help="default 1")
    parser.add_argument("--warmup", type=int, default=20, help="untimed calls, default 20")
    parser.add_argument("--runs", type=int, default=10, help="calls a turn, default 10")
    parser.add_argument("--seconds", type=float, default=2, help="a network, at least; default 2")
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
    """Latencies of the networks in ``folders`` whose runtimes are installed."""
    if not (1 <= setting.runs <= 10**6 and 0 <= setting.warmup <= 10**6):
        raise Refused("--runs: allowed: 1 to a million; --warmup: 0 to a million")
    if not 0 < setting.seconds <= MOST_SECONDS:
        raise Refused(f"--seconds {setting.seconds}: allowed: above 0, at most {MOST_SECONDS}")
    works: dict[tuple[str, str, str], tuple[Run, Any]] = {}
    for folder in folders:
        manifest = read_manifest(folder)
        how = manifest["preprocessing"]
        image = np.random.default_rng(0).standard_normal(
            (1, how["channels"], how["size"], how["size"]), dtype=np.float32
        )
        for artifact in artifacts_of(folder, only):
            if artifact.can_run or only is not None:
                run = artifact.open(setting.threads)
                works[str(folder), manifest["key"], artifact.name] = run, image
    if not works:
        targets = ", ".join(package for _, package in MODULES.values())
        raise Refused(f"no runtime of these networks is installed; pip install one of: {targets}")
    for (where, _, network), (run, image) in works.items():
        try:
            for _ in range(1 + setting.warmup):
                run(image)
        except Exception as error:  # of whatever kind the runtime raises
            reason = " ".join(str(error).split())[:200]
            raise Refused(f"{where}: {network} does not take its own image ({reason})") from None
    times: dict[tuple[str, str, str], list[float]] = {name: [] for name in works}
    order, generator = list(works), random.Random(0)
    spent, turns = 0.0, 0
    while turns < FEWEST_TURNS or spent < setting.seconds * len(works):
        generator.shuffle(order)
        for name in order:
            run, image = works[name]
            run(image)  # untimed: the one before has filled the processor's caches with its own
            for _ in range(setting.runs):
                start = time.perf_counter()
                run(image)
                times[name].append(time.perf_counter() - start)
        turns += 1
        spent = sum(map(sum, times.values()))
    return [_latency(*name, np.array(each) * 1e3) for name, each in times.items()]


def _latency(folder: str, key: str, network: str, times: Any) -> Latency:
    p50, p90 = (float(np.percentile(times, share)) for share in (50, 90))
    return Latency(folder, key, network, len(times), p50, p90, float(times.min()), p90 > BUSY * p50)


def table(found: list[Latency]) -> str:
    """For people."""
    lines = [f"{'network':<32}{'n':>7}{'p50 ms':>10}{'p90 ms':>10}{'least ms':>10}"]
    folders = {one.folder for one in found}
    for one in found:
        name = one.network if len(folders) == 1 else f"{Path(one.folder).name} {one.network}"
        busy = "  busy" if one.busy else ""
        lines.append(
            f"{name:<32}{one.n:>7}{one.p50:>10.3f}{one.p90:>10.3f}{one.least:>10.3f}{busy}"
        )
    return "\n".join([*lines, f"{cpu_name()}, one image at a time"])


if __name__ == "__main__":
    sys.exit(main())
