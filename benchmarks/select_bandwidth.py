r"""How much of the memory's bandwidth does the selection of an SK unit reach, forward and backward?

The selection reads M maps and writes one, its gradients read M + 1 maps and write M: there is nothing to
compute, so the bytes that must move over the time, against the bandwidth of a copy in the same run, say
how good the kernels are. Before, every case is compared in float64 with the sum written out in PyTorch:
a wrong kernel is not timed.

    python benchmarks/select_bandwidth.py --device cuda [--batch 256] [--out FILE.csv]
    python benchmarks/select_bandwidth.py --batch 4 --repeats 2        # the same on a CPU
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rows import write_rows
from torch import Tensor

from blocks.units.selection import branch_weights, select

SHAPES = {"24x28": (24, 28), "48x28": (48, 28), "116x14": (116, 14), "232x14": (232, 14)}
"""Channels and side of maps in ShuffleNetV2."""
COPIED = 2**28
"""Bytes of the copy that measures the bandwidth, on a GPU."""


@dataclass(frozen=True)
class Row:
    """A case.

    Attributes:
        shape: Channels x side.
        branches: M.
        layout: nchw or nhwc.
        dtype: Of the maps.
        pass_: ``forward``, or ``backward``, the gradients alone.
        microseconds: Least of the repeats.
        gigabytes: Moved a second.
        share: Of the bandwidth of a copy.
    """

    shape: str
    branches: int
    layout: str
    dtype: str
    pass_: str
    microseconds: float
    gigabytes: float
    share: float


def seconds(work: Callable[[], object], device: str, repeats: int) -> float:
    """The least time of ``repeats`` calls."""

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    best = float("inf")
    for _ in range(repeats + 1):  # the first compiles
        wait()
        start = time.perf_counter()
        work()
        wait()
        best = min(best, time.perf_counter() - start)
    return best


def bandwidth(device: str, repeats: int) -> float:
    """Bytes a second, read and written, of a copy."""
    size = COPIED if device == "cuda" else 2**24
    source = torch.empty(size, dtype=torch.uint8, device=device).fill_(1)
    target = torch.empty_like(source)
    return 2 * size / seconds(lambda: target.copy_(source), device, repeats)


def make(
    shape: tuple[int, int], branches: int, batch: int, layout: str, dtype: torch.dtype, device: str
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Maps, logits of the branches and the gradient of the result."""
    channels, side = shape
    form = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    size = (batch, channels, side, side)

    def random() -> Tensor:
        return torch.randn(size, dtype=dtype, device=device).to(memory_format=form)

    logits = torch.randn(batch, branches * channels, 1, 1, dtype=dtype, device=device)
    return [random() for _ in range(branches)], logits, random()


def check(shape: tuple[int, int], branches: int, layout: str, device: str) -> None:
    """Compare value and gradients in float64; the program ends if they differ."""
    maps, logits, upstream = make(shape, branches, 2, layout, torch.float64, device)
    results = []
    for rule in (select, plain):
        leaves = [one.clone().requires_grad_() for one in (*maps, logits)]
        out = rule(leaves[:-1], branch_weights(leaves[-1], branches, shape[0]))
        results.append([out, *torch.autograd.grad(out, leaves, upstream)])
    for ours, wanted in zip(*results, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-9, atol=1e-9)


def plain(maps: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The sum as the paper has it."""
    return torch.stack([a * b for a, b in zip(maps, weights, strict=True)]).sum(0)


def measured(
    name: str,
    branches: int,
    layout: str,
    dtype: torch.dtype,
    options: argparse.Namespace,
    copy: float,
) -> list[Row]:
    """Both passes of a case."""
    device, repeats = options.device, options.repeats
    maps, logits, upstream = make(SHAPES[name], branches, options.batch, layout, dtype, device)
    channels = SHAPES[name][0]
    weights = branch_weights(logits, branches, channels)
    each = maps[0].numel() * maps[0].element_size()
    with torch.no_grad():
        forward = seconds(lambda: select(maps, weights), device, repeats)
    leaves = [one.requires_grad_() for one in (*maps, logits)]
    out = select(maps, branch_weights(logits, branches, channels))
    backward = seconds(
        lambda: torch.autograd.grad(out, leaves, upstream, retain_graph=True), device, repeats
    )
    # The gradients of the maps need the upstream gradient alone, those of the weights the maps as well.
    moved = {"forward": (branches + 1) * each, "backward": (2 * branches + 1) * each}
    rows = []
    for pass_, time_ in (("forward", forward), ("backward", backward)):
        rate = moved[pass_] / time_
        rows.append(
            Row(
                name, branches, layout, str(dtype).removeprefix("torch."), pass_,
                round(1e6 * time_, 1), round(rate / 1e9, 1), round(rate / copy, 3),
            )
        )  # fmt: skip
    return rows


def main() -> int:
    """Check, measure, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--out", type=Path, help="a CSV file")
    options = parser.parse_args()
    copy = bandwidth(options.device, options.repeats)
    print(f"a copy: {copy / 1e9:.0f} GB/s")
    rows = list[Row]()
    for name, shape in SHAPES.items():
        for branches in (2, 3):
            for layout in ("nchw", "nhwc"):
                check(shape, branches, layout, options.device)
                for dtype in (torch.float32, torch.bfloat16):
                    rows += measured(name, branches, layout, dtype, options, copy)
                    for row in rows[-2:]:
                        print(row, flush=True)
                    if options.out is not None:
                        write_rows(options.out, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
