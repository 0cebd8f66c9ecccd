"""What an SK unit costs on the device: SK networks against their plain backbone, in three runtimes.

Claim: SK-ShuffleNetV2 1.0x (M = 2, the paper's unit in every block), deployed by this program, takes at
most 1.25 times as long as the plain network in ONNX Runtime, ExecuTorch (XNNPACK) and ncnn; written the
usual way it takes about twice as long.

Measured: one image of 224x224, one thread, batch 1, float32. All networks of a runtime are loaded into
one process and take turns; a turn is the median of ``--runs`` runs, and a ratio is taken within a round,
in which every network has one turn, so that a machine that slows down slows both sides. Printed are the
median ratio over ``--rounds`` rounds and its quartiles.

The networks have the weights that they are built with; time does not depend on them.

* plain: torchvision's network as it is, by the runtime's own exporter;
* plain, rewritten: the same through ``blocks.deploy.fuse``;
* naive: SK written the usual way (stack, sum, softmax over five dimensions, sum), by the same exporter;
* ours: what ``nas export`` writes;
* floor: two dilated branches summed up without attention, rewritten: what is left to gain;
* choices: networks that compute something else, which a search may choose.

Of the page: n = 25 rounds of 10 runs; one thread of an AMD EPYC (AVX-512).

Needs the extra [deploy].

    python benchmarks/deployed_overhead.py [--runtimes onnx,executorch,ncnn] [--json] [--write]

With ``--write``: docs/results/deployed_overhead/overhead.csv and machine.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine, write_machine
from rows import write_rows
from torch import Tensor, nn

from blocks import ArchSpec, SelectiveKernel, UnitOverride, UnitSpec, build
from blocks.deploy import Form, fuse
from nas.cost import count
from nas.exporting import TARGETS
from nas.exporting.shipped.runtime import LOADERS, Loaded

OUT = Path("docs/results/deployed_overhead")
TARGET = 1.25
PLAIN, REWRITTEN = "plain", "plain, rewritten"


@dataclass(frozen=True)
class Network:
    """A network and the way it is written for the runtime."""

    name: str
    unit: UnitSpec
    written: str

    def spec(self, backbone: str, width: float) -> ArchSpec:
        """The network in a backbone, for 224x224 images of 1000 classes."""
        return ArchSpec(
            backbone=backbone,
            width=width,
            num_classes=1000,
            in_channels=3,
            input_size=224,
            unit=self.unit,
        )

    def module(self, spec: ArchSpec, form: Form) -> nn.Module:
        """The network as it is handed to the exporter."""
        torch.manual_seed(0)
        model = build(spec).eval()
        if self.written == "ours":
            return fuse(model, form)
        if self.written == "naive":
            for path, module in list(model.named_modules()):
                if isinstance(module, SelectiveKernel):
                    model.set_submodule(path, NaiveSelectiveKernel(module))
        return model


NONE, SK = UnitSpec(kind="none"), UnitSpec()
LATE = (2, UnitOverride(kind="none"))
NETWORKS = (
    Network(PLAIN, NONE, "as built"),
    Network(REWRITTEN, NONE, "ours"),
    Network("SK M=2, naive", SK, "naive"),
    Network("SK M=2, ours", SK, "ours"),
    Network("floor: two branches, no attention", UnitSpec(select="sum"), "ours"),
    Network("SK M=3, naive", UnitSpec(dilations=(1, 2, 3)), "naive"),
    Network("SK M=3, ours", UnitSpec(dilations=(1, 2, 3)), "ours"),
    Network("choice: no ReLU in the branches", UnitSpec(branch_act=False), "ours"),
    Network("choice: real 5x5", UnitSpec(kernel="real"), "ours"),
    Network("choice: shortcuts stay plain", UnitSpec(shortcut=False), "ours"),
    Network("choice: first SK stage stays plain", UnitSpec(stages=(LATE,)), "ours"),
)


class NaiveSelectiveKernel(nn.Module):
    """SK as it is usually written: every branch in one tensor of five dimensions."""

    def __init__(self, unit: SelectiveKernel) -> None:
        super().__init__()
        self.branches, self.fuse, self.select = unit.branches, unit.fuse, unit.select

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H', W')."""
        maps = torch.stack([branch(x) for branch in self.branches], dim=1)
        logits = self.select(self.fuse(maps.sum(1).mean((2, 3), keepdim=True)))
        batch, count, channels = maps.shape[:3]
        attention = logits.view(batch, count, channels, 1, 1).softmax(1)
        mixed: Tensor = (maps * attention).sum(1)
        return mixed


@dataclass(frozen=True)
class Row:
    """One network in one runtime.

    Attributes:
        ms: Median time of a run.
        ratio: Median over the rounds of the time against the plain network as built.
        ratio_low: Lower quartile of the ratio.
        ratio_high: Upper quartile.
        to_rewritten: Median ratio to the plain network with the same rewrites.
        rounds: Rounds.
        runs: Runs of a network in a round.
        mflops: Multiply-adds of the network, before channels are padded.
        bytes: Of the file or files.
    """

    runtime: str
    backbone: str
    width: float
    network: str
    ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    to_rewritten: float
    rounds: int
    runs: int
    mflops: float
    bytes: int


def main() -> int:
    """Measure each runtime; 1 when the paper's unit misses the target in one of them."""
    options = parse_options()
    torch.set_num_threads(1)
    rows: list[Row] = []
    for runtime in options.runtimes.split(","):
        TARGETS[runtime].check_installed(runtime)
        rows += measure(runtime, options)
        if not options.json:
            print("\n".join(lines(rows, runtime)), flush=True)
    if options.write:
        write_rows(OUT / "overhead.csv", rows)
        write_machine(OUT)
    if options.json:
        print(json.dumps({"rows": [asdict(r) for r in rows], "machine": asdict(machine())}))
    return int(any(row.network == "SK M=2, ours" and row.ratio > TARGET for row in rows))


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtimes", default="onnx,executorch,ncnn")
    parser.add_argument("--backbone", default="shufflenet_v2")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--networks", default="", help="only those whose name has this in it")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--runs", type=int, default=10, help="of each network in a round")
    parser.add_argument(
        "--files", type=Path, help="keep the exported files here, and take them again"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help=f"write {OUT}")
    return parser.parse_args()


def measure(runtime: str, options: argparse.Namespace) -> list[Row]:
    """Export and load all networks, then let them take turns."""
    chosen = [n for n in NETWORKS if n.written == "as built" or options.networks in n.name]
    specs = {n: n.spec(options.backbone, options.width) for n in chosen}
    with tempfile.TemporaryDirectory() as scratch:
        keep = options.files or Path(scratch)
        files = {n: export(n, runtime, specs[n], keep) for n in chosen}
        loaded = {n.name: LOADERS[runtime](files[n][0], 1) for n in chosen}
        sizes = {n.name: sum(path.stat().st_size for path in files[n]) for n in chosen}
        times = take_turns(loaded, options.rounds, options.runs)
    return [
        Row(
            runtime,
            options.backbone,
            options.width,
            network.name,
            round(statistics.median(times[network.name]) * 1e3, 3),
            *quartiles(times, network.name, PLAIN),
            quartiles(times, network.name, REWRITTEN)[0] if REWRITTEN in times else 0.0,
            options.rounds,
            options.runs,
            count(specs[network]).mflops,
            sizes[network.name],
        )
        for network in chosen
    ]


def export(network: Network, runtime: str, spec: ArchSpec, keep: Path) -> tuple[Path, ...]:
    """The files of ``network`` for ``runtime``, made unless they are there."""
    name = "".join(c if c.isalnum() else "_" for c in f"{runtime} {spec.label} {network.written}")
    folder = keep / name
    listing = folder / "files.json"
    if not listing.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        image = torch.randn(1, spec.in_channels, spec.input_size, spec.input_size)
        target = TARGETS[runtime]
        assert target.write is not None
        paths = target.write(network.module(spec, target.form), image, folder).files
        listing.write_text(json.dumps([path.name for path in paths]))
    return tuple(folder / file for file in json.loads(listing.read_text()))


def take_turns(loaded: Mapping[str, Loaded], rounds: int, runs: int) -> dict[str, list[float]]:
    """Seconds of one run, a figure a round and network: the median of ``runs`` runs."""
    image = np.random.default_rng(0).standard_normal((1, 3, 224, 224), dtype=np.float32)
    for run in loaded.values():
        turn(run.run, run.given(image), runs)
    times: dict[str, list[float]] = {name: [] for name in loaded}
    for _ in range(rounds):
        for name, run in loaded.items():
            times[name].append(turn(run.run, run.given(image), runs))
    return times


def turn(run: Callable[[Any], Any], image: object, runs: int) -> float:
    """Median seconds of ``runs`` runs."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        run(image)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def quartiles(times: Mapping[str, list[float]], name: str, base: str) -> tuple[float, float, float]:
    """Median, lower and upper quartile of the ratios within the rounds."""
    ratios = [one / other for one, other in zip(times[name], times[base], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return round(middle, 4), round(low, 4), round(high, 4)


def lines(rows: Iterable[Row], runtime: str) -> Iterable[str]:
    """The rows of a runtime for a reader."""
    own = {row.network: row for row in rows if row.runtime == runtime}
    first = own[PLAIN]
    yield f"{runtime}: {first.backbone} {first.width:g}x, n = {first.rounds} rounds of {first.runs}"
    yield f"  {'':36s} {'ms':>7s} {'ratio to plain':>24s} {'to rewritten':>13s} {'MFLOPs':>8s}"
    for row in own.values():
        spread = f"{row.ratio:.3f} ({row.ratio_low:.3f}-{row.ratio_high:.3f})"
        yield (
            f"  {row.network:36s} {row.ms:7.3f} {spread:>24s} {row.to_rewritten:13.3f} "
            f"{row.mflops:8.2f}"
        )
    ours, floor = own.get("SK M=2, ours"), own.get("floor: two branches, no attention")
    if ours and floor:
        yield (
            f"  target {TARGET}: {'met' if ours.ratio <= TARGET else 'MISSED'}; attention costs "
            f"{100 * (ours.ms / floor.ms - 1):.0f} % over the floor"
        )


if __name__ == "__main__":
    sys.exit(main())
