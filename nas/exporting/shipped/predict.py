"""Classifies images with a network of this folder: python predict.py IMAGE..."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from runtime import MICRO, MODULES, Artifact, Refused, read_manifest, runnable, shortened

if TYPE_CHECKING:  # old boards have a numpy without it
    from numpy.typing import NDArray


def main() -> int:
    """Print labels and scores.

    Returns:
        Exit code: 0, or 2 after a one-line error.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="an image file")
    parser.add_argument(
        "--network", help="such as onnx or onnx-int8; default: the first that can run"
    )
    parser.add_argument("--top", type=int, default=3, help="labels per image, default 3")
    parser.add_argument("--threads", type=int, default=1, help="default 1")
    parser.add_argument("--json", action="store_true", help="print one JSON object per image")
    options = parser.parse_args()
    for stream in (sys.stdout, sys.stderr):  # a console that lacks a letter shows its number
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        for path in options.images:
            if not path.is_file():
                raise Refused(
                    f"{path}: {'a folder, no image' if path.is_dir() else 'no such file'}"
                )
        predict(Path(__file__).resolve().parent, options)
    except Refused as refused:
        print(f"predict.py: {refused}", file=sys.stderr)
        return 2
    return 0


def predict(bundle: Path, options: argparse.Namespace) -> None:
    """Print the scores of each image from the chosen network of ``bundle``."""
    if options.top < 1 or options.threads < 1:
        raise Refused("--top and --threads: allowed: 1 or more")
    manifest = read_manifest(bundle)
    names: Sequence[str] = manifest["class_names"]
    # Fitted on validation images, so that a score is how often such an image is named rightly.
    temperature = manifest.get("temperature", {}).get("value", 1.0)
    network = choose(runnable(bundle, options.network))
    run = network.open(options.threads)
    for path in options.images:
        image = prepare(path, manifest["preprocessing"])
        try:
            scores = softmax(run(image)[0] / np.float32(temperature))
        except Exception as error:  # a runtime may raise anything
            reason = shortened(error)
            raise Refused(f"{network.name} fails on the image ({reason})") from None
        if len(scores) != len(names):
            raise Refused(f"{bundle}: {len(scores)} classes, {len(names)} names")
        best = np.argsort(-scores, kind="stable")[: options.top]
        if options.json:
            labels = [{"label": names[k], "score": float(scores[k])} for k in best]
            print(json.dumps({"image": str(path), "network": network.name, "labels": labels}))
        else:
            print(f"{path}  " + "  ".join(f"{names[k]} {scores[k]:.3f}" for k in best))


def choose(networks: Sequence[Artifact]) -> Artifact:
    """The first network with an installed runtime; what needs PyTorch, or is slow here, comes last."""
    for network in sorted(networks, key=lambda one: one.target in ("executorch", *MICRO)):
        if network.can_run:
            return network
    names = ", ".join(network.name for network in networks)
    packages = ", ".join(sorted({MODULES[network.target][1] for network in networks}))
    raise Refused(f"no runtime of {names} is installed; pip install one of: {packages}")


def prepare(path: Path, how: dict[str, Any]) -> NDArray[np.float32]:
    """Read an image file and preprocess it as in the training, (1, C, size, size).

    The shorter side is scaled to ``resize``, the centre is cut out, and pixels in [0, 1] are normalised.
    """
    pixels = read(path, how)[None] if how["channels"] == 1 else read(path, how).transpose(2, 0, 1)
    shape = (-1, 1, 1)
    mean, std = (np.array(how[name], np.float32).reshape(shape) for name in ("mean", "std"))
    return np.ascontiguousarray(((pixels / np.float32(255) - mean) / std)[None])


def read(path: Path, how: dict[str, Any]) -> NDArray[np.float32]:
    """Pixels from 0 to 255, (size, size) or (size, size, 3)."""
    try:
        from photo import PhotoError, centre_crop, read_reduced
    except ImportError:
        raise Refused("reading image files needs Pillow; pip install pillow") from None

    warnings.simplefilter("ignore")
    try:
        image = read_reduced(path, how.get("read_side"))
    except PhotoError as error:
        raise Refused(f"{path}: not a readable image ({error.reason})") from None
    if how["channels"] == 1:
        image = image.convert("L")
    return np.asarray(centre_crop(image, how["size"], how["resize"]), dtype=np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The softmax of the logits."""
    powers: NDArray[np.float32] = np.exp(logits - logits.max())
    powers /= powers.sum()
    return powers


if __name__ == "__main__":
    sys.exit(main())
