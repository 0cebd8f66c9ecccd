"""Where the time of one deployed SK unit goes when PyTorch runs a single image.

Not a claim but the reason why one is missed: ``benchmarks/sk_unit.py`` reaches 1.7 times timm's speed at
batch 1, not 3. Prints the operators' shares of the unit's time by PyTorch's profiler, and what the
convolutions would take with weights packed beforehand and the ReLU inside, by oneDNN's operators as
PyTorch's compiler calls them (``torch.ops.mkldnn``: private, hence not used by the unit).

Of the page: one unit, one thread of an AMD EPYC.

    python benchmarks/sk_profile.py [--channels 116] [--side 14] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

import torch
from machine import machine
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from blocks import SelectiveKernel
from blocks.deploy import fuse

CALLS, REPEATS = 200, 30


def microseconds(work: Callable[[], object]) -> float:
    """The least mean over CALLS calls, of REPEATS tries on one thread."""
    for _ in range(CALLS):
        work()
    tries = []
    for _ in range(REPEATS):
        start = time.process_time()
        for _ in range(CALLS):
            work()
        tries.append((time.process_time() - start) / CALLS)
    return 1e6 * min(tries)


def shares(unit: nn.Module, x: Tensor) -> dict[str, float]:
    """Each operator's own share of the time, the largest first."""
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        for _ in range(CALLS):
            unit(x)
    events = sorted(recorded.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    return {event.key: event.self_cpu_time_total / total for event in events[:10]}


def convolution(x: Tensor, dilation: int) -> dict[str, float]:
    """Microseconds of a 3x3 depthwise convolution and ReLU, as the unit runs it and packed."""
    channels = x.shape[1]
    weight, bias = torch.randn(channels, 1, 3, 3), torch.randn(channels)
    pads, strides = [dilation] * 2, [1, 1]
    packed = torch.ops.mkldnn._reorder_convolution_weight(
        weight, pads, strides, pads, channels, list(x.shape)
    )
    return {
        "as it is": microseconds(
            lambda: torch.conv2d(x, weight, bias, 1, dilation, dilation, channels).relu_()
        ),
        "packed": microseconds(
            lambda: torch.ops.mkldnn._convolution_pointwise(
                x, packed, bias, pads, strides, pads, channels, "relu", [], ""
            )
        ),
    }


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, default=116)
    parser.add_argument("--side", type=int, default=14)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    torch.set_num_threads(1)
    unit = fuse(SelectiveKernel(options.channels)).to(memory_format=torch.channels_last)
    x = torch.randn(1, options.channels, options.side, options.side)
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        whole = microseconds(lambda: unit(x))
        parts = {f"dilation {d}": convolution(x, d) for d in (1, 2)}
        found = shares(unit, x)
    if options.json:
        figures = {"unit_us": whole, "convolution_us": parts, "shares": found}
        print(json.dumps({**figures, "machine": asdict(machine())}))
        return 0
    print(f"unit {options.channels}x{options.side}x{options.side}: {whole:.0f} us")
    for name, times in parts.items():
        print(
            f"  3x3 {name}, with its ReLU: "
            + ", ".join(f"{t:.0f} us {n}" for n, t in times.items())
        )
    for name, share in found.items():
        print(f"  {100 * share:5.1f} %  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
