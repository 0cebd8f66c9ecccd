r"""A set of photographs that anyone can make: objects of Tux Paint's stamps, at many scales, on clutter.

The pictures come from Debian's package tuxpaint-stamps-default (photographs and drawings of single
objects on a transparent ground). Each image of the set shows one object at a random scale, angle and
place in front of cut-outs of other stamps. Objects of the test images are in no training image. The
scales are spread evenly: classes have to be told apart by form, near and far, which is what
Selective-Kernel units are for.

    apt-get install tuxpaint-stamps-default
    python benchmarks/stamps.py FOLDER                      # five classes, 96 pixels, 1,100 + 600 images
    python benchmarks/stamps.py FOLDER --classes 8          # by subfolder: birds, fruit, flowers, ...
    python benchmarks/stamps.py FOLDER --pixels 3000        # as large as those of a telephone

Writes FOLDER/train/CLASS/OBJECT-00.jpg and FOLDER/test/CLASS/OBJECT-00.jpg. The part of a name before
the last hyphen is the object; ``--group-by '([^/]+)-[0-9]+[.]jpg$'`` keeps the images of one object on
one side.
The same arguments make the same pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

STAMPS = Path("/usr/share/tuxpaint/stamps")
FIVE = ("animals", "food", "household", "plants", "vehicles")
MOST_OBJECTS = 40
"""Of a class; else two of five images would show animals."""
LEAST_OBJECTS = 8
"""Of a class; half of them are for the test."""
CLUTTER = ("symbols", "town", "seasonal", "space", "hobbies", "clothes")
"""What stands behind the objects is of no class."""
SMALLEST, LARGEST = 0.25, 0.95
"""Longer side of an object, in parts of the image's side."""
QUALITY = 90


@dataclass(frozen=True)
class Plan:
    """What is made.

    Attributes:
        classes: The files of each class.
        clutter: The files of the ground.
        pixels: Side of the square images.
        train: Training images of all classes together.
        test: Test images, likewise.
        seed: Of all that is drawn.
    """

    classes: Mapping[str, Sequence[Path]]
    clutter: Sequence[Path]
    pixels: int
    train: int
    test: int
    seed: int


def main() -> int:
    """Make the set; 2 if the stamps are missing or the folder is taken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--classes", type=int, default=5, help="five classes, or up to so many")
    parser.add_argument("--pixels", type=int, default=96)
    parser.add_argument("--train", type=int, default=1100)
    parser.add_argument("--test", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stamps", type=Path, default=STAMPS)
    options = parser.parse_args()
    if not options.stamps.is_dir():
        print(
            f"{options.stamps}: no stamps; apt-get install tuxpaint-stamps-default", file=sys.stderr
        )
        return 2
    if options.folder.exists() and any(options.folder.iterdir()):
        print(f"{options.folder}: holds files already; name a new folder", file=sys.stderr)
        return 2
    classes = (
        five(options.stamps)
        if options.classes == 5
        else subfolders(options.stamps, options.classes)
    )
    clutter = [one for top in CLUTTER for one in pictures(options.stamps / top)]
    plan = Plan(classes, clutter, options.pixels, options.train, options.test, options.seed)
    make(plan, options.folder)
    objects = sum(map(len, classes.values()))
    print(
        f"{options.folder}: {len(classes)} classes, {objects} objects, {plan.train} + {plan.test} images"
    )
    return 0


def pictures(folder: Path) -> list[Path]:
    """The drawings and photographs below a folder that are cut out; those without a ground are."""
    return [path for path in sorted(folder.rglob("*.png")) if _cut_out(path)]


def five(stamps: Path) -> dict[str, list[Path]]:
    """Five classes of things that differ in form."""
    return {name: _spread(pictures(stamps / name)) for name in FIVE}


def subfolders(stamps: Path, most: int) -> dict[str, list[Path]]:
    """Finer classes: the second folders that hold enough objects, the fullest first."""
    found: dict[str, list[Path]] = defaultdict(list)
    for top in sorted({path.name for path in stamps.iterdir()} - set(CLUTTER)):
        for path in pictures(stamps / top):
            parts = path.relative_to(stamps).parts
            if len(parts) > 2 and "cartoon" not in parts:
                found[parts[1]].append(path)
    full = sorted(found, key=lambda name: (-len(found[name]), name))
    return {name: _spread(found[name]) for name in full[:most] if len(found[name]) >= LEAST_OBJECTS}


def make(plan: Plan, folder: Path) -> None:
    """Write all images."""
    rng = np.random.default_rng(plan.seed)
    ground = [_loaded(path) for path in plan.clutter]
    for name, objects in sorted(plan.classes.items()):
        order = rng.permutation(len(objects))
        half = round(len(objects) * 0.6)
        for part, total, which in (
            ("train", plan.train, order[:half]),
            ("test", plan.test, order[half:]),
        ):
            place = folder / part / name
            place.mkdir(parents=True)
            for number in range(total // len(plan.classes)):
                path = objects[which[number % len(which)]]
                image = scene(_loaded(path), ground, plan.pixels, rng)
                label = "_".join(path.relative_to(path.parents[1]).with_suffix("").parts)
                image.save(place / f"{label}-{number // len(which):02d}.jpg", quality=QUALITY)


def scene(
    one: Image.Image, ground: Sequence[Image.Image], side: int, rng: np.random.Generator
) -> Image.Image:
    """One object in front of clutter, RGB of ``side`` pixels."""
    colours = rng.uniform(40, 215, (2, 2, 3)) + rng.normal(0, 12, (2, 2, 3))
    canvas = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    for _ in range(rng.integers(3, 9)):
        behind = ground[int(rng.integers(len(ground)))]
        _paste(canvas, behind, rng.uniform(0.15, 0.5), rng, beyond=0.3)
    _paste(canvas, one, rng.uniform(SMALLEST, LARGEST), rng, beyond=0.0)
    noise = rng.normal(0, rng.uniform(0, 8), (side, side, 1))
    return Image.fromarray(np.clip(np.asarray(canvas) + noise, 0, 255).astype(np.uint8))


def _paste(
    canvas: Image.Image, one: Image.Image, scale: float, rng: np.random.Generator, beyond: float
) -> None:
    """Paste at a random place; up to ``beyond`` of it may lie outside."""
    if rng.random() < 0.5:
        one = one.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    one = one.rotate(rng.uniform(-20, 20), expand=True, resample=Image.Resampling.BICUBIC)
    longer = max(8, round(scale * canvas.width))
    ratio = longer / max(one.size)
    one = one.resize(
        [max(1, round(length * ratio)) for length in one.size], Image.Resampling.LANCZOS
    )
    low = [-beyond * length for length in one.size]
    high = [canvas.width - (1 - beyond) * length for length in one.size]
    x, y = (
        int(rng.uniform(least, max(most, least))) for least, most in zip(low, high, strict=True)
    )
    canvas.paste(one, (x, y), one)


def _spread(files: Sequence[Path]) -> list[Path]:
    """At most as many as a class may have, spread over its folders."""
    count = min(len(files), MOST_OBJECTS)
    return [files[i * len(files) // count] for i in range(count)]


def _cut_out(path: Path) -> bool:
    with Image.open(path) as image:
        if "A" not in image.mode and "transparency" not in image.info:
            return False
        opaque = np.asarray(image.convert("RGBA"))[..., 3] > 127
    return bool(0.05 < opaque.mean() < 0.95) and min(opaque.shape) >= 24


def _loaded(path: Path) -> Image.Image:
    """RGBA, cut to what is drawn."""
    with Image.open(path) as file:
        image = file.convert("RGBA")
    box = image.getchannel("A").getbbox()
    return image.crop(box)


if __name__ == "__main__":
    sys.exit(main())
