"""One Selective Kernel unit: ours against timm's and against the usual transcription of the paper.

Claim: over the depthwise units of ShuffleNetV2 and MobileNetV2, ours runs inference 3 times as fast as
timm's unit of the same weights, a training step 1.5 times as fast, and keeps half the bytes for the
backward pass. What is reached is printed beside these targets, for grouped units (SKNet-50) as well.

Measured in one run, in one process, after a check that the three compute the same function (outputs in
training and in inference within 1e-5, with copied weights; otherwise the run ends):

* ours: ``blocks.SelectiveKernel``. fused: the same from ``blocks.deploy.fuse``.
* timm: ``timm.layers.SelectiveKernel``, without its split of the input, 3x3 kernels, same d.
* usual: convolution, BatchNorm and ReLU, concatenation, view (B, M, C, H, W), sum, mean, two 1x1
  convolutions, a softmax over five axes, product, sum. What most repositories have.
* no act: ours without the branch ReLU, as it stands, fused, and merged to one kernel an image
  (``fuse(merge=True)``, depthwise only), to see where merging is the faster.

A training step is forward and backward, with gradients to the input and all weights. Candidates take
turns in random order, so that a busy machine hits all alike; each runs in both memory layouts and is
judged in its better one. On the CPU with one thread the seconds are the processor's, else the clock's.
Saved bytes: the storages that autograd's hooks see, each once, the input among them, parameters not.
A unit must at least read its input and write its output: ``copies`` is its time over that of
``Tensor.copy_`` of a tensor of that size, which does nothing else.

Left out: the optimizer's step, the layers around the unit, and what a compiler would do.

Of the page: n = 20 cases of depthwise units; one thread of an AMD EPYC.

    python benchmarks/sk_unit.py [--threads 1] [--shapes shufflenet,144x28] [--json] [--write]
    python benchmarks/sk_unit.py --device cuda [--autocast]       # bfloat16

With --write, docs/results/sk_unit/ gets rows.csv, summary.csv and machine.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import TypeAlias

import torch
from machine import machine, write_machine
from rows import write_rows
from sk_peers import UsualSelectiveKernel, check_equal, timm_unit, with_weights_of
from torch import Tensor, nn

from blocks import SelectiveKernel
from blocks.deploy import MergedSelectiveKernel, fuse

OUT = Path("docs/results/sk_unit")
TRAINING_BATCH = 64
TOLERANCE, FOLDED_TOLERANCE = 1e-5, 1e-4
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
PEERS = ("timm", "usual")
TARGETS = {"training": 1.5, "inference": 3.0, "inference fused": 3.0, "saved bytes": 0.5}
SHAPES = (
    *(("shufflenet_v2 0.5x", *shape, 1) for shape in ((24, 28), (48, 14), (96, 7))),
    *(("shufflenet_v2 1.0x", *shape, 1) for shape in ((58, 28), (116, 14), (232, 7))),
    *(("mobilenet_v2 1.0x", *shape, 1) for shape in ((144, 28), (192, 28), (384, 14), (960, 7))),
    *(("sknet-50", 128 << stage, 56 >> stage, 4 << stage) for stage in range(4)),
)

Work: TypeAlias = Callable[[], object]
Units: TypeAlias = Mapping[str, nn.Module]
Candidate: TypeAlias = tuple[str, str]
"""Unit and memory layout."""


@dataclass(frozen=True)
class UnitShape:
    """The shape that a unit works on: C, the side of its square map, channels per group, M."""

    network: str
    channels: int
    side: int
    group_width: int
    branches: int

    @property
    def label(self) -> str:
        """Also what ``--shapes`` looks in."""
        return f"{self.network} {self.channels}x{self.side} w{self.group_width}"


@dataclass(frozen=True)
class Row(UnitShape):
    """One candidate in one case; milliseconds are the median, the least and the most of n."""

    measure: str
    batch: int
    unit: str
    layout: str
    n: int
    median_ms: float
    least_ms: float
    most_ms: float
    copies: float
    saved_bytes: int | None
    peak_bytes: int | None


@dataclass(frozen=True)
class Ratio:
    """Ours against a peer over cases: times of peer / ours; of the saved bytes, ours / peer."""

    family: str
    measure: str
    batch: int
    ours: str
    peer: str
    cases: int
    geometric_mean: float
    least: float
    most: float
    target: float | None


@dataclass(frozen=True)
class Setting:
    """How to measure: ``repeats`` turns, and more, up to ``most``, while ``seconds`` last."""

    device: torch.device
    threads: int
    autocast: bool
    repeats: int
    seconds: float
    most: int = 200

    def now(self) -> float:
        """Seconds of the processor where they are the unit's own, else of the clock."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time() if self.threads == 1 else time.perf_counter()

    def seconds_of(self, work: Work, calls: int) -> float:
        """Seconds a call."""
        start = self.now()
        for _ in range(calls):
            work()
        return (self.now() - start) / calls

    def arithmetic(self) -> torch.autocast:
        """The context to run a unit in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast)


def make_units(shape: UnitShape) -> dict[str, nn.Module]:
    """Ours, without branch ReLU too, and the peers: the same weights, and BatchNorms that matter."""
    channels, dilations = shape.channels, range(1, shape.branches + 1)
    ours, no_act = (
        SelectiveKernel(channels, dilations, group_width=shape.group_width, branch_act=act)
        for act in (True, False)
    )
    for name, values in ours.state_dict().items():
        if values.ndim == 1:
            scale = name.endswith((".weight", ".running_var"))
            values.uniform_(0.5, 1.5) if scale else values.normal_(std=0.3)
    nn.init.normal_(ours.select.weight, std=0.1)
    groups, hidden = channels // shape.group_width, ours.select.in_channels
    usual = UsualSelectiveKernel(channels, shape.branches, groups, hidden)
    return {
        "ours": ours,
        "timm": timm_unit(ours),
        "usual": with_weights_of(ours, usual),
        "ours no act": with_weights_of(ours, no_act),
    }


@torch.no_grad()
def all_forms(shape: UnitShape) -> dict[str, nn.Module]:
    """Every unit of a shape, in inference, after a check against ours."""
    units = make_units(shape)
    act, no_act = units["ours"], units["ours no act"]
    # Images of different means: BatchNorm over equal ones would blow the rounding up.
    x = torch.randn(16, shape.channels, shape.side, shape.side) + torch.randn(16, 1, 1, 1)
    for training in (True, False):
        for unit in units.values():
            unit.train(training)
        output = act(x)
        for peer in PEERS:
            check_equal(peer, units[peer](x), output, TOLERANCE)
    forms = {"fused": fuse(nn.Sequential(act)), "fused no act": fuse(nn.Sequential(no_act))}
    merged = fuse(nn.Sequential(no_act), merge=True)
    if any(isinstance(module, MergedSelectiveKernel) for module in merged.modules()):
        forms["merged no act"] = merged
    for name, form in forms.items():
        origin = no_act if "no act" in name else act
        check_equal(name, form(x), origin(x), FOLDED_TOLERANCE)
    return {**units, **forms}


def round_robin(works: Mapping[Candidate, Work], setting: Setting) -> dict[Candidate, list[float]]:
    """Seconds of each, in turns of random order, after a warm-up."""
    calls = {}
    for key, work in works.items():
        first = setting.seconds_of(work, 1)
        again = first if first > 0.2 else setting.seconds_of(work, 2)
        calls[key] = max(1, math.ceil(0.005 / max(again, 1e-7)))
    order, rng = list(works), random.Random(0)
    seconds: dict[Candidate, list[float]] = {key: [] for key in works}
    start = time.perf_counter()
    for turn in range(max(setting.most, setting.repeats)):
        if turn >= setting.repeats and time.perf_counter() - start > setting.seconds:
            break
        rng.shuffle(order)
        for key in order:
            seconds[key].append(setting.seconds_of(works[key], calls[key]))
    return seconds


def run(unit: nn.Module, x: Tensor, upstream: Tensor, setting: Setting) -> None:
    """A training step, or inference."""
    with torch.inference_mode(not unit.training), setting.arithmetic():
        output = unit(x)
    if unit.training:
        torch.autograd.grad(output, [x, *unit.parameters()], upstream)


def output_and_saved(unit: nn.Module, x: Tensor, setting: Setting) -> tuple[Tensor, int]:
    """The output, and the bytes that autograd keeps for it, parameters and buffers aside."""
    own = {t.untyped_storage().data_ptr() for t in (*unit.parameters(), *unit.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        # Held until all are seen: the address of a storage that is freed comes again.
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), setting.arithmetic():
        output = unit(x)
    return output.detach(), sum(storage.nbytes() for storage in kept.values())


def peak_bytes(step: Work, setting: Setting) -> int | None:
    """The most memory that a step has allocated beyond what was there; None on the CPU."""
    if setting.device.type != "cuda":
        return None
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def measure_case(
    shape: UnitShape, batch: int, measure: str, units: Units, setting: Setting
) -> list[Row]:
    """All of ``units`` in both layouts, and a copy of the input, in turns."""
    trains = measure == "training"
    x = torch.randn(batch, shape.channels, shape.side, shape.side, device=setting.device)
    copying = ("copy", "nchw")
    works: dict[Candidate, Work] = {copying: partial(torch.empty_like(x).copy_, x)}
    memory: dict[Candidate, tuple[int, int | None]] = {}
    for (name, unit), (layout, form) in product(units.items(), LAYOUTS.items()):
        own = copy.deepcopy(unit).train(trains).to(setting.device).to(memory_format=form)
        image = x.clone(memory_format=form).requires_grad_(trains)
        if not trains:
            works[name, layout] = partial(run, own, image, image, setting)
            continue
        output, saved = output_and_saved(own, image, setting)
        step = partial(run, own, image, torch.randn_like(output), setting)
        works[name, layout] = step
        memory[name, layout] = saved, peak_bytes(step, setting)
    times = round_robin(works, setting)
    copy_seconds = statistics.median(times[copying])
    return [
        Row(
            **asdict(shape),
            measure=measure,
            batch=batch,
            unit=name,
            layout=layout,
            n=len(seconds),
            median_ms=1e3 * statistics.median(seconds),
            least_ms=1e3 * min(seconds),
            most_ms=1e3 * max(seconds),
            copies=statistics.median(seconds) / copy_seconds,
            saved_bytes=saved,
            peak_bytes=peak,
        )
        for (name, layout), seconds in times.items()
        for saved, peak in [memory.get((name, layout), (None, None))]
    ]


def measure_shape(
    shape: UnitShape, batches: Sequence[int], setting: Setting
) -> Iterator[list[Row]]:
    """The cases of one shape."""
    units = all_forms(shape)
    if TRAINING_BATCH in batches:
        trained = {name: units[name] for name in ("ours", *PEERS)}
        yield measure_case(shape, TRAINING_BATCH, "training", trained, setting)
    for batch in batches:
        yield measure_case(shape, batch, "inference", units, setting)


def better(rows: Sequence[Row]) -> dict[str, Row]:
    """The rows of one case by unit, each in its better layout."""
    best: dict[str, Row] = {}
    for row in rows:
        if row.unit not in best or row.median_ms < best[row.unit].median_ms:
            best[row.unit] = row
    return best


def ratios_of(rows: Sequence[Row]) -> Iterator[tuple[str, str, str, float]]:
    """(measure, ours, peer, ratio) of one case."""
    best, measure = better(rows), rows[0].measure
    time_of = {name: row.median_ms for name, row in best.items()}
    for peer in PEERS:
        yield measure, "ours", peer, time_of[peer] / time_of["ours"]
        if measure == "inference":
            yield "inference fused", "fused", peer, time_of[peer] / time_of["fused"]
        ours, theirs = best["ours"].saved_bytes, best[peer].saved_bytes
        if ours is not None and theirs is not None:
            yield "saved bytes", "ours", peer, ours / theirs
    if merged := time_of.get("merged no act"):
        for form in ("ours no act", "fused no act"):
            yield "inference merged", "merged no act", form, time_of[form] / merged


def summarise(cases: Sequence[Sequence[Row]]) -> list[Ratio]:
    """Geometric means over the depthwise and over the grouped places."""
    groups: dict[tuple[str, str, int, str, str], list[float]] = defaultdict(list)
    for rows in cases:
        family = "depthwise" if rows[0].group_width == 1 else "grouped"
        for measure, ours, peer, ratio in ratios_of(rows):
            groups[family, measure, rows[0].batch, ours, peer].append(ratio)
    return [
        Ratio(*key, len(r), statistics.geometric_mean(r), min(r), max(r), TARGETS.get(key[1]))
        for key, r in sorted(groups.items())
    ]


def table(cases: Sequence[Sequence[Row]], ratios: Sequence[Ratio]) -> str:
    """Every unit in its better layout, then the ratios."""
    lines = [
        f"{'each in its better layout':<30} M {'measure':<9} batch {'unit':<19}"
        "   n  median ms     least      most  copies  timm/it  saved MB",
        *(
            f"{row.label:<30} {row.branches} {row.measure:<9} {row.batch:>5} {row.unit:<14} "
            f"{row.layout} {row.n:>3} {row.median_ms:>10.3f} {row.least_ms:>9.3f} "
            f"{row.most_ms:>9.3f} {row.copies:>7.1f} {best['timm'].median_ms / row.median_ms:>8.2f} "
            f"{(row.saved_bytes or 0) / 1e6:>9.2f}"
            for best in map(better, cases)
            for row in best.values()
        ),
        f"\n{'family':<9} {'measure':<17} batch {'ours':<14} {'against':<13} cases  "
        "mean*  least   most  target   (* geometric)",
        *(
            f"{one.family:<9} {one.measure:<17} {one.batch:>5} {one.ours:<14} {one.peer:<13} "
            f"{one.cases:>5} {one.geometric_mean:>6.2f} {one.least:>6.2f} {one.most:>6.2f}  "
            f"{one.target or ''}"
            for one in ratios
        ),
    ]
    return "\n".join(lines)


def parse_options() -> argparse.Namespace:
    """What the user wants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5, help="least turns of a case")
    parser.add_argument("--seconds", type=float, default=3, help="for more turns of a case")
    parser.add_argument("--batches", type=numbers, default=[1, 64], help="training: 64 alone")
    parser.add_argument("--branches", type=numbers, default=[2, 3])
    parser.add_argument("--shapes", default="", help="parts of names, such as 0.5x,144x28,sknet")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--autocast", action="store_true", help="to bfloat16")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help=f"into {OUT}")
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    """Such as 1,64."""
    return [int(number) for number in text.split(",")]


def main() -> int:
    """Measure, print, write; the exit code."""
    options = parse_options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = torch.device(options.device)
    setting = Setting(device, options.threads, options.autocast, options.repeats, options.seconds)
    shapes = [UnitShape(*sizes, branches) for sizes in SHAPES for branches in options.branches]
    wanted = options.shapes.split(",")
    shapes = [shape for shape in shapes if any(part in shape.label for part in wanted)]
    if not shapes:
        raise SystemExit(
            f"--shapes: {options.shapes} is in no name, such as {UnitShape(*SHAPES[0], 2).label}"
        )
    cases: list[list[Row]] = []
    for shape in shapes:
        print(f"{shape.label}, {shape.branches} branches", file=sys.stderr, flush=True)
        cases += measure_shape(shape, options.batches, setting)
        if options.write:  # as it goes: an interrupted run keeps what it has
            write_rows(OUT / "rows.csv", [row for case in cases for row in case])
            write_rows(OUT / "summary.csv", summarise(cases))
    rows, ratios = [row for case in cases for row in case], summarise(cases)
    where = {
        **asdict(machine()),
        "timm": version("timm"),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "threads": options.threads,
        "autocast": options.autocast,
        "load_average": os.getloadavg()[0],
    }
    if options.json:
        parts = {"rows": [*map(asdict, rows)], "summary": [*map(asdict, ratios)]}
        print(json.dumps({**parts, "machine": where}))
    else:
        print(table(cases, ratios))
        print(", ".join(f"{name} {value}" for name, value in where.items()))
    if options.write:
        write_machine(OUT, where)
    return 0


if __name__ == "__main__":
    sys.exit(main())
