r"""What trained networks are on the device: size, accuracy and latency in every runtime, fp32 and int8.

Claim: int8 loses at most half a point of accuracy, measured in the runtime itself on images that the
network was not trained on. What is reached is printed, with one scale a layer beside one a channel, and
the latency of each file against that of the first network given, the plain backbone, in the same
runtime and precision: all files of all networks take turns in one process.

Left out: other processors than this one.

Of the page: n = 4 networks, 10,000 test images, 8,480 calls; one thread of an AMD EPYC.

    nas train plain.yaml --data fashion_mnist --epochs 20 --name plain       # and the networks of a run
    python benchmarks/deployment.py plain=runs/plain/train/KEY/checkpoint.pt \
        sk=runs/fashion/train/0077/checkpoint.pt [--seconds 3] [--write] [--json]

Bundles are made in runs/deployment/NAME and kept; a second call measures the latency of what is there.
With --write, docs/results/deployment/ gets rows.csv and machine.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from machine import machine, write_machine
from rows import write_rows

from blocks.deploy import fuse
from nas.data import load_data
from nas.exporting import TARGETS, Manifest, bench, export_bundle
from nas.exporting.evaluate import evaluate, held_out, load, training_images
from nas.exporting.int8 import CALIBRATION
from nas.exporting.targets import ON_THIS_MACHINE, Quantization, Wishes
from nas.training import load_checkpoint

OUT = Path("docs/results/deployment")
BUNDLES = Path("runs/deployment")


@dataclass(frozen=True)
class Row:
    """One file of one network; accuracy in percent, latency in milliseconds of one image."""

    network: str
    key: str
    mflops: float
    params: int
    runtime: str
    precision: str
    scales: str
    bytes: int
    images: int
    split: str
    accuracy: float
    pytorch_accuracy: float
    same_class: float
    float_layers: int
    undelegated: int | None
    p50: float | None
    p90: float | None
    least: float | None
    n: int | None
    busy: bool | None
    times_plain: float | None


def bundle_of(name: str, checkpoint: Path) -> Manifest:
    """The manifest of the bundle ``name``, exported unless it is there."""
    manifest = BUNDLES / name / "manifest.json"
    if not manifest.is_file():
        print(f"exporting {name}", file=sys.stderr, flush=True)
        export_bundle(checkpoint, BUNDLES / name, list(ON_THIS_MACHINE), wishes=Wishes(int8=True))
    return Manifest.model_validate_json(manifest.read_text(encoding="utf-8"))


def channel_rows(
    name: str, manifest: Manifest, latencies: dict[str, dict[str, dict[str, Any]]]
) -> Iterator[Row]:
    """The files of a bundle."""
    for artifact in manifest.artifacts:
        assert artifact.accuracy is not None
        assert artifact.parity is not None
        times = latencies[name][artifact.name]
        plain = next(iter(latencies.values()))[artifact.name]
        yield Row(
            network=name,
            key=manifest.key,
            mflops=manifest.mflops,
            params=manifest.params,
            runtime=artifact.target,
            precision=artifact.precision,
            scales="channel" if artifact.precision == "int8" else "",
            bytes=artifact.bytes,
            images=artifact.accuracy.images,
            split=artifact.accuracy.split,
            accuracy=100 * artifact.accuracy.top1,
            pytorch_accuracy=100 * manifest.accuracy.top1,
            same_class=100 * artifact.parity.top1_agreement,
            float_layers=len(artifact.float_layers),
            undelegated=None if artifact.undelegated is None else len(artifact.undelegated),
            p50=times["p50"],
            p90=times["p90"],
            least=times["least"],
            n=times["n"],
            busy=times["busy"],
            times_plain=times["p50"] / plain["p50"],
        )


def layer_rows(
    name: str, manifest: Manifest, checkpoint: Path, known: frozenset[str]
) -> Iterator[Row]:
    """The same network quantized with one scale a layer; not timed, since nobody should use it.

    Left out: the runtimes that are ``known``.
    """
    loaded = load_checkpoint(checkpoint)
    data = load_data(loaded.info.data)
    images, _ = training_images(data, loaded.info.seed, CALIBRATION)
    for target_name in [one for one in ON_THIS_MACHINE if one not in known]:
        target = TARGETS[target_name]
        print(f"{name}: {target_name}, one scale a layer", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            how = Quantization(images, per_channel=False)
            network = fuse(loaded.model, target.form)
            assert target.write is not None
            assert target.quantize is not None
            target.write(network, images[:1], Path(folder))
            written = target.quantize(network, how, Path(folder))
            runs = {target_name: load(target_name, written.files[0])}
            outcomes = evaluate(loaded.model, runs, held_out(data, loaded.info.full, None))
            outcome = outcomes.runtimes[target_name]
            yield Row(
                network=name,
                key=manifest.key,
                mflops=manifest.mflops,
                params=manifest.params,
                runtime=target_name,
                precision="int8",
                scales="layer",
                bytes=sum(path.stat().st_size for path in written.files),
                images=outcome.images,
                split=manifest.accuracy.split,
                accuracy=100 * outcome.accuracy,
                pytorch_accuracy=100 * manifest.accuracy.top1,
                same_class=100 * outcome.agreeing / outcome.images,
                float_layers=0,
                undelegated=None if written.undelegated is None else len(written.undelegated),
                p50=None, p90=None, least=None, n=None, busy=None, times_plain=None,
            )  # fmt: skip


def known_layer_rows(name: str, manifest: Manifest) -> list[Row]:
    """Those of an earlier call with --write: accuracies do not change from one call to the next."""
    path = OUT / "rows.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["scales"] == "layer"]
    return [
        Row(**{field.name: _value(line[field.name], str(field.type)) for field in fields(Row)})
        for line in lines
        if (line["network"], line["key"]) == (name, manifest.key)
    ]


def _value(text: str, kind: str) -> Any:
    if kind == "str":
        return text
    return None if text == "" else (int if kind.startswith("int") else float)(text)


def table(rows: list[Row]) -> str:
    """For people."""
    lines = [
        f"{'network':<14}{'runtime':<12}{'':<14}{'bytes':>11}{'accuracy':>10}{'lost':>7}"
        f"{'p50 ms':>9}{'p90 ms':>9}{'/plain':>8}"
    ]
    for row in rows:
        kind = row.precision if row.scales != "layer" else "int8 a layer"
        times = (
            f"{row.p50:>9.3f}{row.p90:>9.3f}{row.times_plain:>8.2f}"
            if row.p50 is not None
            else f"{'-':>9}{'-':>9}{'-':>8}"
        )
        lines.append(
            f"{row.network:<14}{row.runtime:<12}{kind:<14}{row.bytes:>11,}{row.accuracy:>10.2f}"
            f"{row.pytorch_accuracy - row.accuracy:>7.2f}{times}"
        )
    return "\n".join(lines)


def main() -> int:
    """Export, measure, print, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "networks", nargs="+", metavar="NAME=CHECKPOINT", help="the plain one first"
    )
    parser.add_argument("--seconds", type=float, default=3, help="a file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help=f"into {OUT}")
    options = parser.parse_args()
    checkpoints = {}
    for word in options.networks:
        name, _, path = word.partition("=")
        checkpoints[name] = Path(path)
    manifests = {name: bundle_of(name, path) for name, path in checkpoints.items()}
    folders = [str(BUNDLES / name) for name in manifests]
    answer = bench(Path(folders[0]), [*folders[1:], "--json", "--seconds", str(options.seconds)])
    latencies: dict[str, dict[str, dict[str, Any]]] = {}
    for one in answer["latencies"]:
        latencies.setdefault(Path(one["folder"]).name, {})[one["network"]] = one
    rows: list[Row] = []
    layers = {name: known_layer_rows(name, manifest) for name, manifest in manifests.items()}
    for name, manifest in manifests.items():
        rows += channel_rows(name, manifest, latencies)
        known = frozenset(row.runtime for row in layers[name])
        rows += [*layers[name], *layer_rows(name, manifest, checkpoints[name], known)]
    if options.write:
        write_rows(OUT / "rows.csv", rows)
    where = {**asdict(machine()), "device": answer["device"], "load_average": os.getloadavg()[0]}
    if options.json:
        print(json.dumps({"rows": [*map(asdict, rows)], "machine": where}))
    else:
        print(table(rows))
    if options.write:
        write_machine(OUT, where)
    return 0


if __name__ == "__main__":
    sys.exit(main())
