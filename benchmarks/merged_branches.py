r"""Is one large kernel faster than the branches that it stands for?

SK units that sum their branches without attention and ReLU compute what one convolution computes
(blocks/deploy/summed.py). Its kernel may have more weights than the branches: the 5x5 of dilations 1 and
2 has 25 in place of 18. ShuffleNetV2 1.0x with such units is exported both ways for each runtime; one
image of 96x96, one thread, batch 1, float32. Both are loaded into one process and take turns; a turn is
the median of ``--runs`` runs. Printed is the median over ``--rounds`` rounds of merged over branches,
with quartiles: below 1 merging pays.

    python benchmarks/merged_branches.py [--runtimes onnx,litert,executorch,ncnn] [--rounds 15]

Of the page: n = 15 rounds of 10 runs; one thread of an AMD EPYC.
Writes docs/results/merged_branches/merged.csv and machine.json. Needs the extra [deploy].
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import torch
from machine import write_machine
from rows import write_rows
from torch import nn

from blocks import ArchSpec, UnitSpec, build
from blocks.deploy import FusedSelectiveKernel, fuse
from blocks.deploy.summed import one_convolution
from nas.exporting import TARGETS
from nas.exporting.shipped.runtime import LOADERS, Loaded

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "merged_branches"
BRANCHES = ((1, 1), (1, 2), (1, 3), (1, 2, 3))
SIDE = 96


@dataclass(frozen=True)
class Row:
    """One choice of branches in one runtime.

    Attributes:
        runtime: That runs it.
        dilations: Of the branches, each 3x3.
        branches_ms: Median time of a run with branches.
        merged_ms: With one kernel.
        ratio: Median over the rounds of merged over branches.
        low: Lower quartile of it.
        high: Upper quartile.
    """

    runtime: str
    dilations: str
    branches_ms: float
    merged_ms: float
    ratio: float
    low: float
    high: float


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtimes", default="onnx,litert,executorch,ncnn")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for runtime in options.runtimes.split(","):
        for dilations in BRANCHES:
            rows.append(measured(runtime, dilations, options.rounds, options.runs))
            print(rows[-1], flush=True)
            write_rows(RESULTS / "merged.csv", rows)
    write_machine(RESULTS)
    return 0


def merge_all(unit: FusedSelectiveKernel, *_: int) -> nn.Conv2d | None:
    """Whatever the size of the kernel."""
    return one_convolution(unit, 99)


def measured(runtime: str, dilations: tuple[int, ...], rounds: int, runs: int) -> Row:
    """Both ways in turn."""
    unit = UnitSpec(dilations=dilations, select="sum", branch_act=False)
    spec = ArchSpec(
        backbone="shufflenet_v2", num_classes=10, in_channels=3, input_size=SIDE, unit=unit
    )
    torch.manual_seed(0)
    model = build(spec).eval()
    image = torch.rand(1, 3, SIDE, SIDE)
    target = TARGETS[runtime]
    assert target.write is not None
    loaded: list[Loaded] = []
    with tempfile.TemporaryDirectory() as scratch:
        for way in ("branches", "merged"):
            folder = Path(scratch) / way
            folder.mkdir()
            merge = (lambda *_: None) if way == "branches" else merge_all
            with patch("blocks.deploy.fuse.one_convolution", merge):
                network = fuse(model, target.form)
            written = target.write(network, image, folder)
            loaded.append(LOADERS[runtime](written.files[0], 1))
        times: list[list[float]] = [[], []]
        for turn in range(rounds + 1):
            for one, own in zip(loaded, times, strict=True):
                each = []
                for _ in range(runs):
                    began = time.perf_counter()
                    one(image.numpy())
                    each.append(time.perf_counter() - began)
                if turn:  # the first warms up
                    own.append(1000 * statistics.median(each))
    ratios = [merged / branches for branches, merged in zip(*times, strict=True)]
    low, ratio, high = statistics.quantiles(ratios, n=4)
    branches_ms, merged_ms = (round(statistics.median(one), 3) for one in times)
    words = ",".join(map(str, dilations))
    figures = (round(one, 3) for one in (ratio, low, high))
    return Row(runtime, words, branches_ms, merged_ms, *figures)


if __name__ == "__main__":
    sys.exit(main())
