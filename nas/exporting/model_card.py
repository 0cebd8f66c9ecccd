"""MODEL_CARD.md of a bundle: the network, its measurements, and how to run it."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nas.evaluation import wilson
from nas.evaluation.figures import FEW_IMAGES
from nas.exporting.manifest import Artifact, Manifest

OLDEST = {
    "onnx": "ONNX Runtime 1.14 or later (opset 18, IR 8); tried: 1.16.3",
    "litert": "TensorFlow Lite 2.14 or later; tried: tflite-runtime 2.14.0",
    "ncnn": "ncnn 20260101",
    "executorch": "ExecuTorch 1.5",
    "tflm": "TensorFlow Lite Micro of 2026",
}
"""Target -> the oldest runtime that its files are known to run in."""
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
    accuracy = manifest.accuracy
    interval = wilson(round(accuracy.top1 * accuracy.images), accuracy.images)
    return environment.get_template(TEMPLATE.name).render(
        manifest=manifest,
        interval=f"{100 * interval.low:.2f} to {100 * interval.high:.2f} %",
        trouble=_trouble(manifest),
        oldest=OLDEST,
    )


def _values(artifact: Artifact) -> str:
    """What the numbers of the input mean."""
    if artifact.pixels is None or artifact.input is None:
        return "normalised"
    colours = ", RGB" if artifact.pixels.channels == 3 else ""
    kind, zero = artifact.input.type, artifact.input.zero
    if kind == "float32":
        return f"pixel / 255{colours}"
    return f"pixel {zero:+d}{colours}" if zero else f"pixel{colours}"


def _trouble(manifest: Manifest) -> list[str]:
    """A line for each class whose figures say little, or that is never named."""
    kind = "test" if manifest.accuracy.split == "test" else "validation"
    lines = []
    for one in manifest.classes:
        if not one.images:
            lines.append(f"{one.name}: no {kind} images, so nothing is known of it")
        elif not one.predicted:
            lines.append(f"{one.name}: never predicted, though it has {one.images:,} {kind} images")
        elif one.images < FEW_IMAGES:
            lines.append(f"{one.name}: {one.images} {kind} images only")
    return lines


def _plain(text: str) -> str:
    """Escape text for Markdown."""
    one_line = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|" else c for c in one_line)
