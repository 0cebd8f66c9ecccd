"""How fast are the networks that searches pick, stage by stage and uniform?

photo_sweeps.py searches one space whose unit is the same in all stages, and one whose stages have units
of their own, seed by seed. For some of its budgets the two picks of a seed are exported to each runtime,
loaded into one process and take turns: the ratio of their times is the median over the rounds. Weights
are random: a run takes as long with any.

    python benchmarks/stage_latency.py WORK [WORK ...] [--runtimes onnx,ncnn] [--rounds 9]

WORK are folders with the searches of photo_sweeps.py (its ``--work``). Writes
docs/results/stage_wise/: latency.csv (a row a pair and runtime), latency.md, machine.json.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from machine import write_machine
from over_seeds import half_width, mean
from photo_sweeps import RESULTS as PICKS
from photo_sweeps import Pick
from rows import read_rows, write_rows

from blocks import ArchSpec, build
from blocks.deploy import fuse
from nas.exporting import TARGETS
from nas.exporting.evaluate import load
from nas.exporting.shipped.runtime import Loaded
from nas.runs import RunFolder

OUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "stage_wise"
BUDGETS = 4
"""Of the dozen, every third."""
RUNS = 10


@dataclass(frozen=True)
class Row:
    """The two picks of a seed at a budget, in a runtime."""

    seed: int
    budget: float
    runtime: str
    uniform_mflops: float
    stages_mflops: float
    uniform_ms: float
    stages_ms: float
    ratio: float


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("works", nargs="+", type=Path)
    parser.add_argument("--runtimes", default="onnx,ncnn")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    picks = {(p.sampler, p.seed, p.budget): p for p in read_rows(PICKS / "picks.csv", Pick)}
    budgets = sorted({budget for _, _, budget in picks})[1 :: 12 // BUDGETS]
    seeds = sorted({seed for sampler, seed, _ in picks if sampler == "stages"})
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:

        @cache
        def loaded(spec: ArchSpec, runtime: str) -> Loaded:
            return written(spec, runtime, Path(folder) / f"{spec.key}-{runtime}")

        for seed in seeds:
            for budget in budgets:
                pair = [picks[arm, seed, budget] for arm in ("forecast", "stages")]
                specs = [spec_of(options.works, one) for one in pair]
                for runtime in options.runtimes.split(","):
                    runs = [loaded(spec, runtime) for spec in specs]
                    times = take_turns(runs, [spec.input_size for spec in specs], options.rounds)
                    ratio = statistics.median(b / a for a, b in zip(*times, strict=True))
                    uniform, stages = (1000 * statistics.median(one) for one in times)
                    rows.append(
                        Row(
                            seed, round(budget, 2), runtime, pair[0].mflops, pair[1].mflops,
                            round(uniform, 4), round(stages, 4), round(ratio, 3),
                        )
                    )  # fmt: skip
                    print(rows[-1], flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    write_rows(OUT / "latency.csv", rows)
    write_machine(OUT)
    lines = table(rows)
    (OUT / "latency.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0


def spec_of(works: Sequence[Path], pick: Pick) -> ArchSpec:
    """The network of a pick."""
    for work in works:
        run = RunFolder(work / f"{pick.sampler}-{pick.seed}")
        if run.path.is_dir():
            return ArchSpec.from_yaml(run.trial(pick.trial).arch)
    raise SystemExit(f"no run {pick.sampler}-{pick.seed} in {', '.join(map(str, works))}")


def written(spec: ArchSpec, runtime: str, folder: Path) -> Loaded:
    """The network in its runtime."""
    torch.manual_seed(0)
    target = TARGETS[runtime]
    model = fuse(build(spec).eval(), target.form)
    folder.mkdir(exist_ok=True)
    assert target.write is not None
    example = torch.randn(1, spec.in_channels, spec.input_size, spec.input_size)
    return load(runtime, target.write(model, example, folder).files[0])


def take_turns(runs: Sequence[Loaded], sides: Sequence[int], rounds: int) -> list[list[float]]:
    """Seconds of a run, for each of them in each round."""
    inputs = [torch.randn(1, 3, side, side).numpy() for side in sides]
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(rounds + 1):
        for number, (run, image) in enumerate(zip(runs, inputs, strict=True)):
            one = []
            for _ in range(RUNS):
                start = time.perf_counter()
                run(image)
                one.append(time.perf_counter() - start)
            if turn:  # the first warms up
                times[number].append(statistics.median(one))
    return times


def table(rows: Sequence[Row]) -> list[str]:
    """Means over the seeds."""
    lines = [
        "| runtime | budget, M multiply-adds | uniform, ms | by stage, ms | ratio | seeds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for runtime, budget in dict.fromkeys((row.runtime, row.budget) for row in rows):
        some = [row for row in rows if (row.runtime, row.budget) == (runtime, budget)]
        ratios = [row.ratio for row in some]
        lines.append(
            f"| {runtime} | {budget:g} | {mean([row.uniform_ms for row in some]):.3f} | "
            f"{mean([row.stages_ms for row in some]):.3f} | {mean(ratios):.2f} ± "
            f"{half_width(ratios):.2f} | {len(some)} |"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
