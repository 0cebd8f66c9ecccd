r"""The predicted memory of networks on a microcontroller against that of the exported files.

Claim: ``sram_kb`` and ``flash_kb``, known before the training and without an export, are at most 5 % and
in the median at most 2 % above the arena that TensorFlow Lite Micro needs and the size of the file, and
never below.

Drawn by a seed: three backbones, plain and with SE and SK units, sizes from 32 to 96, several widths and
numbers of classes, grey and RGB. None was looked at when the rules were written. Each network has random
weights, the statistics of a few random images in its BatchNorms, and a calibration with two images: the
memory depends on the weights only by how many concatenations change a scale. The files are those of
``nas export --targets tflm``.

Beside it: what is often taken for the memory. SRAM: the largest sum of inputs and outputs of one
operator. Flash: a byte for each parameter.

Left out: 32-bit processors, whose bookkeeping is smaller.

Of the page: n = 60 networks of a seed and 35 of another; TensorFlow Lite Micro on x86-64.

Needs the extra [mcu].

    python benchmarks/memory.py [--seed 18] [--networks 60] [--write]   # 15 s each; continues

With --write, docs/results/memory/ gets networks.csv, whose rows of other seeds stay, summary.csv and
machine.json.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from machine import write_machine
from rows import read_rows, write_rows
from torch import nn

from blocks import ArchSpec, UnitSpec, build
from blocks.deploy import fuse
from nas.cost import count
from nas.cost.microcontroller import memory_of
from nas.cost.microcontroller.memory import graph_of
from nas.exporting.pixels import from_pixels
from nas.exporting.targets import Quantization, Wishes
from nas.exporting.targets.litert import quantize_litert, write_litert
from nas.exporting.targets.tflm import write_tflm

DONE = Path("runs/memory")
OUT = Path("docs/results/memory")
SEED = 18
LOOKED_AT = {SEED: 15}
"""Seed -> how many of its networks were looked at: one showed a constant that the rules had missed."""
WIDTHS = {
    "shufflenet_v2": (0.25, 0.5, 1.0),
    "mobilenet_v2": (0.25, 0.35, 0.5, 0.75),
    "mobilenet_v3_small": (0.35, 0.5, 1.0),
}
TURNS = ("shufflenet_v2", "mobilenet_v2", "shufflenet_v2", "mobilenet_v2", "mobilenet_v3_small")
SIZES = (32, 40, 48, 56, 64, 80, 96)
DILATIONS = ((2,), (1, 2), (1, 3), (1, 1), (1, 2, 3))


@dataclass(frozen=True)
class Row:
    """One network of a seed; bytes."""

    seed: int
    key: str
    backbone: str
    width: float
    input_size: int
    in_channels: int
    num_classes: int
    unit: str
    operators: int
    arena: int
    predicted_arena: int
    simple_arena: int
    file: int
    predicted_file: int
    simple_file: int


@dataclass(frozen=True)
class Summary:
    """How far a prediction is off, in percent of what was measured; below 0: it promises too little."""

    seed: int
    figure: str
    means: str
    networks: int
    median_error: float
    worst_error: float
    least: float


def drawn(seed: int) -> Iterator[ArchSpec]:
    """Networks, without end."""
    rng = random.Random(seed)
    number = 0
    while True:
        backbone = TURNS[number % len(TURNS)]
        unit: dict[str, Any] = {"kind": ("sk", "none", "se")[number % 3]}
        if unit["kind"] != "none":
            unit["reduction"] = rng.choice((4, 16))
        if unit["kind"] == "sk":
            kernel = rng.choice(("dilated", "dilated", "real"))
            unit |= {"dilations": rng.choice(DILATIONS), "branch_act": rng.random() < 0.5}
            unit |= {"min_dim": rng.choice((8, 32)), "kernel": kernel}
            unit |= {"group_width": rng.choice((1, 1, 2))}
        size = rng.choice(SIZES)
        yield ArchSpec(
            backbone=backbone,
            width=rng.choice(WIDTHS[backbone]),
            input_size=size,
            in_channels=rng.choice((1, 3)),
            num_classes=rng.choice((2, 5, 10, 37)),
            stem_stride=rng.choice((1, 2)) if size <= 32 else 2,
            unit=UnitSpec.model_validate(unit),
        )
        number += 1


def network(spec: ArchSpec, seed: int) -> nn.Module:
    """A network with weights such as a training leaves: none is 0, and BatchNorms have seen images."""
    torch.manual_seed(seed)
    model = build(spec).train()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
        for _ in range(3):
            model(torch.randn(8, spec.in_channels, spec.input_size, spec.input_size))
    return model.eval()


def int8_file(spec: ArchSpec, number: int, folder: Path) -> Path:
    """The int8 .tflite file of a network, as ``nas export`` writes it; ``number`` decides on weights."""
    channels, side = spec.in_channels, spec.input_size
    statistics_of = ([0.5] * channels, [0.25] * channels)
    model = from_pixels(fuse(network(spec, number), "channels_last"), *statistics_of, channels)
    images = torch.rand(2, channels, side, side)
    write_litert(model, images[:1], folder)
    how = Quantization(images, io="int8", input_range=(0, 1))
    return quantize_litert(model, how, folder).files[0]


def measure(spec: ArchSpec, seed: int, number: int) -> Row:
    """Export a network and run it in TensorFlow Lite Micro."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        arena = write_tflm(int8_file(spec, number, folder), folder, Wishes()).arena
    assert arena is not None
    return Row(
        seed=seed,
        key=spec.key,
        backbone=spec.backbone,
        width=spec.width,
        input_size=spec.input_size,
        in_channels=spec.in_channels,
        num_classes=spec.num_classes,
        unit=spec.label,
        arena=arena.bytes,
        file=arena.flash,
        **predictions(spec),
    )


def predictions(spec: ArchSpec) -> dict[str, Any]:
    """What is known without the export."""
    predicted, graph = memory_of(spec), graph_of(spec)
    ends = ((*one.inputs, one.output) for one in graph.operators)
    simple = max(sum(math.prod(graph.shapes[tensor]) for tensor in end) for end in ends)
    return {
        "operators": len(graph.operators),
        "predicted_arena": predicted.arena,
        "simple_arena": simple,
        "predicted_file": predicted.file,
        "simple_file": count(spec).params,
    }


def summarise(rows: Sequence[Row]) -> list[Summary]:
    """Of each seed: median and largest absolute error, and the error that promises least."""
    found = []
    for seed in sorted({one.seed for one in rows}):
        own = [one for one in rows if one.seed == seed]
        for figure in ("arena", "file"):
            for means in ("predicted", "simple"):
                errors = [
                    100 * (getattr(one, f"{means}_{figure}") / getattr(one, figure) - 1)
                    for one in own
                ]
                sizes = [abs(error) for error in errors]
                numbers = statistics.median(sizes), max(sizes), min(errors)
                rounded = (round(one, 2) for one in numbers)
                found.append(Summary(seed, figure, means, len(own), *rounded))
    return found


def measured(seed: int, networks: int) -> list[Row]:
    """The rows of a seed; those that an earlier call has measured are read."""
    done, first = DONE / f"networks_{seed}.csv", LOOKED_AT.get(seed, 0)
    known = {one.key: one for one in read_rows(done, Row)}
    rows: list[Row] = []
    for number, spec in islice(enumerate(drawn(seed)), first, None):
        if len(rows) == networks:
            break
        if any(row.key == spec.key for row in rows):
            continue  # drawn twice
        if spec.key in known:
            rows.append(replace(known[spec.key], **predictions(spec)))
            continue
        one = known[spec.key] = measure(spec, seed, number)
        write_rows(done, list(known.values()))
        rows.append(one)
        print(
            f"{number} {one.backbone} {one.width:g} {one.input_size} {one.unit}: arena {one.arena} "
            f"({100 * (one.predicted_arena / one.arena - 1):+.2f} %), file {one.file} "
            f"({100 * (one.predicted_file / one.file - 1):+.2f} %)",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    return rows


def main() -> int:
    """Measure what is missing, and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--networks", type=int, default=60)
    parser.add_argument("--write", action="store_true", help="write the page's files")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = measured(arguments.seed, arguments.networks)
    if arguments.write:
        others = [one for one in read_rows(OUT / "networks.csv", Row) if one.seed != arguments.seed]
        rows = others + rows
        write_rows(OUT / "networks.csv", rows)
        write_rows(OUT / "summary.csv", summarise(rows))
        write_machine(OUT)
    for line in summarise(rows):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
