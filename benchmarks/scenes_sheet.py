"""A contact sheet of `fashion_scenes`: test scenes in the order of their targets' sides.

Each column holds scenes of about one side, from a fifth of the scene's to all of it; the frame of a
target can be drawn as well.

    python benchmarks/scenes_sheet.py [--size 64] [--frames]

Writes docs/results/table4_tradeoff/scenes.png.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from nas.data.fashion_mnist import read_fashion_mnist
from nas.data.fashion_scenes import INPUT_SIZE, compose, targets

OUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "table4_tradeoff" / "scenes.png"
COLUMNS, ROWS = 10, 6


def main() -> int:
    """Draw the sheet; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=INPUT_SIZE)
    parser.add_argument("--frames", action="store_true", help="frame the targets")
    options = parser.parse_args()
    _, test = read_fashion_mnist(None)
    scenes = compose(test, "test", options.size).images
    place = targets("test", len(scenes), options.size)
    by_side = place.side.argsort(stable=True)
    shown = by_side[torch.linspace(0, len(by_side) - 1, COLUMNS * ROWS).round().long()]
    sheet = Image.new("L", (COLUMNS * options.size, ROWS * options.size))
    for number, row in enumerate(shown.tolist()):
        scene = Image.fromarray(scenes[row, 0].numpy())
        if options.frames:
            top, left, side = (int(one[row]) for one in (place.top, place.left, place.side))
            edge = (left, top, left + side - 1, top + side - 1)
            ImageDraw.Draw(scene).rectangle(edge, outline=255)
        sheet.paste(scene, (number // ROWS * options.size, number % ROWS * options.size))
    sheet.resize((sheet.width * 3 // 2, sheet.height * 3 // 2)).save(OUT, optimize=True)
    print(OUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
