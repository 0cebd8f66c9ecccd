"""Small trained networks, and their files as ``nas export`` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from nas.cli.main import main
from nas.exporting.evaluate import held_out
from nas.training import load_checkpoint
from nas.training.trained_on import load_trained_on

Pixels: TypeAlias = NDArray[np.uint8]

PICTURES = "pictures"

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
        data: That it is trained on: ``digits``, or the pictures of this module.
        epochs: Of the training.
        options: Further ones of ``nas export``.
    """

    name: str
    arch: dict[str, object]
    data: str = PICTURES
    epochs: int = 15
    options: tuple[str, ...] = ()


def _shuffle_net(**more: object) -> dict[str, object]:
    return {"backbone": "shufflenet_v2", "width": 0.5, "input_size": SIDE, **more}


TWO_BRANCHES = {"kind": "sk", "dilations": [1, 2]}
NETWORKS = {
    one.name: one
    for one in (
        Network("plain", _shuffle_net(input_size=128, unit={"kind": "none"})),
        Network("se", _shuffle_net(input_size=80, unit={"kind": "se"})),
        Network("sk", _shuffle_net(unit=TWO_BRANCHES)),
        Network(
            "mobilenet_v3",  # with h-swish and its own SE
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
            _shuffle_net(input_size=16, stem_stride=1, in_channels=1, unit=TWO_BRANCHES),
            data="digits",
            epochs=8,
            options=("--rgb",),
        ),
    )
}


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


def draw_pictures(folder: Path) -> None:
    """Write the training and validation pictures as folders of classes."""
    for part, count, first in (("train", TRAINING, 0), ("val", HELD_OUT, 10_000)):
        for shape in SHAPES:
            place = folder / part / shape
            place.mkdir(parents=True)
            for number in range(first, first + count):
                picture(shape, number).save(place / f"{number}.png")


def train(network: Network) -> Path:
    """Train in the current folder; return the checkpoint."""
    command = ["train", "arch.yaml", "--recipe", "tiny", "--epochs", str(network.epochs)]
    if network.data == PICTURES:
        draw_pictures(Path("pictures"))
        command += ["--data", f"imagefolder:{PICTURES}"]
        command += ["--input-size", str(network.arch["input_size"])]
    else:
        command += ["--data", network.data]
    classes = len(SHAPES) if network.data == PICTURES else 10
    Path("arch.yaml").write_text(yaml.safe_dump({**network.arch, "num_classes": classes}))
    assert main(command) == 0
    (checkpoint,) = Path("runs").glob("*/train/*/checkpoint.pt")
    return checkpoint


def export(network: Network, checkpoint: Path, out: str, targets: str, *options: str) -> None:
    """Export in the current folder, in 8 bits too."""
    command = ["export", str(checkpoint), "--targets", targets, "--int8", "--out", out]
    assert main([*command, *network.options, *options]) == 0


def unseen(checkpoint: Path, count: int) -> tuple[Pixels, list[int]]:
    """Test images as pixels from 0 to 255, (count, H, W, C), and the classes that PyTorch gives them."""
    loaded = load_checkpoint(checkpoint)
    data = load_trained_on(checkpoint, loaded.info)
    images = torch.cat([some for some, _ in held_out(data, True, count)])
    with torch.inference_mode():
        classes = loaded.model(images).argmax(1).tolist()
    mean, std = (torch.tensor(one).view(1, -1, 1, 1) for one in (data.info.mean, data.info.std))
    pixels = (images * std + mean) * 255
    return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy(), classes
