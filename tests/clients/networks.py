"""Small trained networks, and their files as ``nas export`` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from nas.cli.main import main

Pixels = NDArray[np.uint8]

SHAPES = {
    "disc": (220, 60, 60),
    "square": (60, 200, 60),
    "triangle": (60, 80, 230),
    "cross": (230, 220, 60),
    "ring": (240, 240, 240),
    "stripes": (150, 60, 200),
}
"""The classes, each with its colour: a network that is sure of them shows what a client does to it."""
CLASSES = tuple(SHAPES)
TRAINING, HELD_OUT = 60, 20
"""Pictures of each class."""
SIDE = 96
GROUND, INK = (0, 60), 15
"""Range of the ground's colour; largest difference from the colour of a class."""


@dataclass(frozen=True)
class Network:
    """A network to train and export.

    Attributes:
        name: Of the network, and of its folder.
        arch: Its arch.yaml, without the number of classes.
        epochs: Of the training.
        options: Further ones of ``nas export``.
    """

    name: str
    arch: dict[str, object]
    epochs: int = 15
    options: tuple[str, ...] = field(default=())

    @property
    def channels(self) -> int:
        """That it was trained on."""
        return 1 if self.arch.get("in_channels") == 1 else 3


def _shuffle_net(**more: object) -> dict[str, object]:
    return {"backbone": "shufflenet_v2", "width": 0.5, "input_size": SIDE, **more}


NETWORKS = (
    Network("plain", _shuffle_net(unit={"kind": "none"})),
    Network("se", _shuffle_net(unit={"kind": "se"})),
    Network("sk", _shuffle_net(unit={"kind": "sk", "dilations": [1, 2]})),
    Network(
        "mobilenet_v3",
        {
            "backbone": "mobilenet_v3_small",
            "width": 0.5,
            "input_size": 64,
            "unit": {"kind": "none"},
        },
        epochs=20,
    ),
    Network(
        "grey",
        _shuffle_net(unit={"kind": "sk", "dilations": [1, 2]}, in_channels=1, input_size=48),
        options=("--rgb",),
    ),
)


def picture(shape: str, number: int, side: int = SIDE) -> Image.Image:
    """A picture of a class; ``number`` decides on colours, place and size."""
    rng = np.random.default_rng([CLASSES.index(shape), number])
    ground = tuple(int(value) for value in rng.integers(*GROUND, 3))
    ink = tuple(int(value) for value in SHAPES[shape] + rng.integers(-INK, INK, 3))
    image = Image.new("RGB", (side, side), ground)
    half = rng.uniform(0.25, 0.4) * side
    x, y = rng.uniform(half, side - half, 2)
    draw, box = ImageDraw.Draw(image), (x - half, y - half, x + half, y + half)
    bar = half / 3
    if shape == "disc":
        draw.ellipse(box, fill=ink)
    elif shape == "square":
        draw.rectangle(box, fill=ink)
    elif shape == "triangle":
        draw.polygon([(x, y - half), (x - half, y + half), (x + half, y + half)], fill=ink)
    elif shape == "cross":
        draw.rectangle((x - half, y - bar, x + half, y + bar), fill=ink)
        draw.rectangle((x - bar, y - half, x + bar, y + half), fill=ink)
    elif shape == "ring":
        draw.ellipse(box, outline=ink, width=max(2, int(bar)))
    else:
        for row in range(5):
            top = y - half + 2 * row * half / 5
            draw.rectangle((x - half, top, x + half, top + half / 5), fill=ink)
    noise = rng.normal(0, 8, (side, side, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def draw_pictures(folder: Path, grey: bool) -> None:
    """Write the training and validation pictures as folders of classes."""
    for part, count, first in (("train", TRAINING, 0), ("val", HELD_OUT, 10_000)):
        for shape in SHAPES:
            place = folder / part / shape
            place.mkdir(parents=True)
            for number in range(first, first + count):
                one = picture(shape, number)
                (one.convert("L") if grey else one).save(place / f"{number}.png")


def held_out_pixels(channels: int, side: int, count: int) -> Pixels:
    """Pictures that no training saw, (count, side, side, channels), 0 to 255."""
    return np.stack(list(_held_out(channels, side, count)))


def _held_out(channels: int, side: int, count: int) -> Iterator[Pixels]:
    for number in range(count):
        one = picture(CLASSES[number % len(CLASSES)], 20_000 + number).resize((side, side))
        pixels = np.asarray(one.convert("L") if channels == 1 else one, dtype=np.uint8)
        yield pixels.reshape(side, side, channels)


def train(network: Network) -> Path:
    """Train in the current folder; return the checkpoint."""
    draw_pictures(Path("pictures"), network.channels == 1)
    arch = Path("arch.yaml")
    arch.write_text(yaml.safe_dump({**network.arch, "num_classes": len(SHAPES)}), encoding="utf-8")
    command = ["train", str(arch), "--data", "imagefolder:pictures", "--recipe", "tiny"]
    command += ["--input-size", str(network.arch["input_size"]), "--epochs", str(network.epochs)]
    assert main(command) == 0
    (checkpoint,) = Path("runs").glob("*/train/*/checkpoint.pt")
    return checkpoint


def export(network: Network, checkpoint: Path, targets: str, out: str, *options: str) -> Path:
    """Export in the current folder; return the bundle."""
    command = ["export", str(checkpoint), "--targets", targets, "--out", out]
    assert main([*command, *network.options, *options]) == 0
    return Path(out)
