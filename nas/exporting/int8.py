"""Quantizes a network to 8-bit integers, and measures which layers have to stay in float32."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from blocks.wording import plural
from nas.exporting.evaluate import evaluate, load
from nas.exporting.steps import Say, silent
from nas.exporting.targets import Quantization, Target, Written

MOST_LOST = 0.005
"""Largest loss of accuracy on training images; above it the most harmful layers stay in float32."""
LADDER = (0, 1, 2, 4, 8)
"""Numbers of float32 layers to try, until the loss is small enough."""
CALIBRATION, SENSITIVITY = 100, 64


@dataclass(frozen=True)
class Quantized:
    """A network in int8.

    Attributes:
        written: The files.
        float_layers: Paths of the layers that stay in float32, in the deployed network.
    """

    written: Written
    float_layers: tuple[str, ...]


def quantize(
    name: str,
    target: Target,
    model: nn.Module,
    how: Quantization,
    labels: Tensor,
    folder: Path,
    say: Say = silent,
) -> Quantized:
    """Quantize ``model`` for a runtime, with as few layers in float32 as the accuracy allows.

    Training images calibrate the network and decide on the layers; held-out images are measured later.
    If every step of LADDER loses more than MOST_LOST, the step with the least loss is taken.

    Args:
        name: Name of the target.
        target: The runtime.
        model: The network as rewritten for the target.
        how: Training images as the model takes them, (N, C, H, W), of which the first CALIBRATION
            calibrate, and the type of inputs and outputs.
        labels: Of the images, (N,).
        folder: The folder where ``target.write`` has written the same model.
        say: Told each step.
    """
    assert target.quantize is not None
    images, ranked = how.images, list[str]()
    how = replace(how, images=images[:CALIBRATION])
    best: tuple[float, tuple[str, ...]] | None = None
    for count in LADDER:
        if count and not ranked:
            say(f"{name}: int8, ranking the layers by the harm that rounding does")
            ranked = most_harmful_layers(model, images[:SENSITIVITY])
        kept = tuple(ranked[:count])
        layers = f", {plural(len(kept), 'layer')} in float32" if kept else ""
        say(f"{name}: int8{layers}: calibrating on {plural(len(how.images), 'image')}")
        written = target.quantize(model, replace(how, float_layers=frozenset(kept)), folder)
        say(f"{name}: int8{layers}: accuracy on {plural(len(images), 'training image')}")
        run = load(name, written.files[0])
        outcomes = evaluate(model, {name: run}, iter([(images, labels)]))
        lost = outcomes.pytorch.accuracy - outcomes.runtimes[name].accuracy
        if lost <= MOST_LOST:
            return Quantized(written, kept)
        if best is None or lost < best[0]:
            best = lost, kept
        if count and count >= len(ranked):
            break
    assert best is not None
    say(f"{name}: int8, {plural(len(best[1]), 'layer')} in float32 lose least: writing")
    again = replace(how, float_layers=frozenset(best[1]))
    return Quantized(target.quantize(model, again, folder), best[1])


def most_harmful_layers(model: nn.Module, images: Tensor) -> list[str]:
    """Paths of convolutions and linear layers, the most harmful in int8 first.

    Each layer is rounded alone: its weights symmetrically with one scale per output channel, its input
    and output affinely with the range over ``images``. The harm is the mean squared change of logits.
    """
    layers = {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    }
    with torch.inference_mode():
        expected = model(images)
        harm = {}
        for path, layer in layers.items():
            weight = layer.weight.data
            layer.weight.data = _rounded_weight(weight)
            before = layer.register_forward_pre_hook(lambda _, given: (_rounded(given[0]),))
            after = layer.register_forward_hook(lambda _, __, output: _rounded(output))
            harm[path] = float((model(images) - expected).square().mean())
            layer.weight.data = weight
            before.remove()
            after.remove()
    return sorted(harm, key=lambda path: -harm[path])


def _rounded(activation: Tensor) -> Tensor:
    least, most = min(0.0, float(activation.min())), max(0.0, float(activation.max()))
    scale = max(most - least, 1e-12) / 255
    return torch.fake_quantize_per_tensor_affine(activation, scale, round(-least / scale), 0, 255)


def _rounded_weight(weight: Tensor) -> Tensor:
    scales = weight.flatten(1).abs().amax(1).clamp_min(1e-12) / 127
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -127, 127)
