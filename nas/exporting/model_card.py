"""MODEL_CARD.md of a bundle: the network, its measurements, and how to run it."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from blocks.wording import plural
from nas.evaluation import wilson
from nas.evaluation.figures import FEW_IMAGES
from nas.exporting.examples import example_folders
from nas.exporting.manifest import Artifact, Manifest
from nas.exporting.shipped.runtime import MODULES, Port

OLDEST = {
    "onnx": "ONNX Runtime 1.14 or later (opset 18, IR 8); tried: 1.16.3",
    "litert": "TensorFlow Lite 2.14 or later; tried: tflite-runtime 2.14.0",
    "ncnn": "ncnn 20260101",
    "executorch": "ExecuTorch 1.5",
    "tflm": "TensorFlow Lite Micro; tried: tflite-micro {tflite-micro}",
    "ethos_u": "TensorFlow Lite Micro with Arm's Ethos-U driver; not run; Vela {ethos-u-vela}",
}
"""Target -> the oldest runtime that its files are known to run in; in braces a package's version."""
TEMPLATE = Path(__file__).with_name("model_card.md.jinja")


def model_card(manifest: Manifest) -> str:
    """The card as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    environment.filters["plain"] = _plain
    environment.filters["values"] = _values
    environment.filters["result"] = _result
    accuracy = manifest.accuracy
    interval = wilson(round(accuracy.top1 * accuracy.images), accuracy.images)
    return environment.get_template(TEMPLATE.name).render(
        manifest=manifest,
        interval=f"{100 * interval.low:.2f} to {100 * interval.high:.2f} %",
        trouble=_trouble(manifest),
        oldest={target: _with_versions(text, manifest) for target, text in OLDEST.items()},
        targets={one.target for one in manifest.artifacts},
        files={one.target: one.files[0].name for one in manifest.artifacts},
        runs=_runtimes(manifest),
        timed=any(one.is_timed for one in manifest.artifacts),
        examples=example_folders(manifest.model_dump(mode="json")),
    )


def _with_versions(text: str, manifest: Manifest) -> str:
    """The text with the versions of the packages in braces."""
    return re.sub(r"{(.+?)}", lambda found: manifest.versions.get(found[1], "unknown"), text)


def _runtimes(manifest: Manifest) -> list[str]:
    """What pip installs for ``predict.py``, the best choice first; empty if it runs no network."""
    targets = sorted(
        {one.target for one in manifest.artifacts if one.runs_here}, key=list(MODULES).index
    )
    return [MODULES[target][1] for target in targets]


def _values(artifact: Artifact) -> str:
    """What the numbers of the input mean."""
    if artifact.pixels is None or artifact.input is None:
        return "normalised"
    colours = ", RGB" if artifact.pixels.channels == 3 else ""
    port = artifact.input
    if port.scale is None:
        return f"pixel / 255{colours}"
    pixel = f"pixel {'-' if port.zero < 0 else '+'} {abs(port.zero)}" if port.zero else "pixel"
    return f"{pixel}{colours}; scale {port.scale:g}, zero point {port.zero}"


def _result(port: Port) -> str:
    """What the numbers of the output mean."""
    if port.scale is None:
        return port.name
    value = f"(value {'-' if port.zero > 0 else '+'} {abs(port.zero)})" if port.zero else "value"
    return f"{port.name} = {value} × {port.scale:g}"  # noqa: RUF001


def _trouble(manifest: Manifest) -> list[str]:
    """A line for each class whose figures say little, or that is never named."""
    kind = "test" if manifest.accuracy.split == "test" else "validation"
    lines = []
    for one in manifest.classes:
        if not one.images:
            lines.append(f"{one.name}: no {kind} images, so nothing is known of it")
        elif not one.predicted:
            lines.append(
                f"{one.name}: never predicted, though it has {plural(one.images, f'{kind} image')}"
            )
        elif one.images < FEW_IMAGES:
            lines.append(f"{one.name}: {plural(one.images, f'{kind} image')} only")
    return lines


def _plain(text: str) -> str:
    """Escape text for Markdown."""
    one_line = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|" else c for c in one_line)
