"""The user's options for the data."""

from __future__ import annotations

import os
from typing import Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, field_validator

from blocks.checked_model import CheckedModel, Integer, Number
from nas.plugins import is_reference

PHOTOGRAPHS = "imagefolder:"
"""What the names of data sets begin with that are photographs at a path."""
Augment: TypeAlias = Literal["standard", "trivial"]
"""Training augmentation of a recipe: crops and flips alone, or TrivialAugment after them."""
AUGMENTS: tuple[Augment, ...] = ("standard", "trivial")


class DataConfig(CheckedModel):
    """Choice of data set and of its training augmentation.

    Attributes:
        name: "digits", "fashion_mnist", "fashion_scenes", "cifar10", "cifar100" or
            "imagefolder:PATH", where PATH holds photographs (docs/howto/photographs.md); or "my.py:NAME"
            or "package.module:NAME", a callable that returns `nas.Datasets`. The path alone of something
            that exists stands for "imagefolder:PATH".
        data_dir: Folder looked at first, and the one downloads go to; downloads go to
            SKNAS_CACHE_DIR, else ~/.cache/sknas, when it is None. Not used by digits and imagefolder.
        flip: Whether training images are mirrored left to right with probability 1/2. None takes
            the default of the set: False for digits, True for all others but those of your own, which
            say it themselves.
        crop_padding: Black pixels added on each side before a random crop of the original size.
            None takes the default of the set: digits 1, fashion_mnist and fashion_scenes 2, cifar 4.
            Must be None for imagefolder and for PIL images of your own, which are cropped at random
            scales.
        scale_jitter: Lowest scale, in (0, 1]. Each image is pasted at a random scale in
            [scale_jitter, 1] and a random place on a black canvas of its own size. Scales and
            places are new in each training epoch, and fixed for the validation and test images:
            objects of many scales are a property of the task. None turns it off.
        input_size: Side of the image crop in pixels, for imagefolder and PIL images of your own; None
            means 224. Side of the scenes of fashion_scenes, 64 by default.
        limit: Use only the first images of the training split, in its fixed order; None, or more
            than there are, means all. Held-out validation images are not counted.
        val_limit: Use only the first of the held-out validation images, likewise.
        epoch_images: Images per epoch, drawn from the training split for each epoch; None, or more than
            there are, means all. A short epoch gives an early result of a training without a smaller
            training set. A full training uses all images.
        workers: Threads that read image files, or processes that read sets of your own; 0 reads in the
            main thread.
        cache_gb: Gigabytes of decoded photographs that are kept in ``SKNAS_CACHE_DIR`` (default
            ~/.cache/sknas), of all image folders together; what does not fit is read from its files. 0
            keeps none. Results do not depend on it.
        split_rule: How photographs are held out: "hash", by a hash of each path; "drawn", as runs did
            before that was.
        group_by: Photographs of one group stay on one side of every split. The name of a column of the
            table, or a regular expression whose first group (or whole match) in the path of a photograph
            is its group.
        splits: A splits.csv of an earlier run: what it lists stays in its split.
        on_bad_image: "stop" refuses photographs that cannot be decoded, "skip" leaves them out.
        record: splits.csv of the run that the images belong to; the run sets it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    data_dir: str | None = None
    flip: bool | None = None
    crop_padding: Integer | None = Field(default=None, ge=0)
    scale_jitter: Number | None = Field(default=None, gt=0, le=1)
    input_size: Integer | None = Field(default=None, ge=1)
    limit: Integer | None = Field(default=None, ge=1)
    val_limit: Integer | None = Field(default=None, ge=1)
    epoch_images: Integer | None = Field(default=None, ge=1)
    workers: Integer = Field(default=2, ge=0)
    cache_gb: Number = Field(default=8.0, ge=0, allow_inf_nan=False)
    split_rule: Literal["hash", "drawn"] = "hash"
    group_by: str | None = None
    splits: str | None = None
    on_bad_image: Literal["stop", "skip"] = "stop"
    record: str | None = None

    @property
    def is_photographs(self) -> bool:
        """Whether the images are files of a person's own."""
        return self.name.startswith(PHOTOGRAPHS)

    @property
    def keeps_record(self) -> bool:
        """Whether a run keeps in splits.csv which image is in which split."""
        return self.is_photographs and self.split_rule == "hash"

    @field_validator("name")
    @classmethod
    def _full_name(cls, name: str) -> str:
        return data_name(name)


def data_name(name: str) -> str:
    """The name of a data set; a path that exists becomes ``imagefolder:PATH``.

    Names of sets and import paths win: ``./digits`` is a folder, ``digits`` is not.
    """
    from nas.data.registry import MODULES  # it imports this module

    if name in MODULES or name.startswith(PHOTOGRAPHS) or is_reference(name) or not name:
        return name
    return f"{PHOTOGRAPHS}{name}" if os.path.exists(os.path.expanduser(name)) else name


def shown_name(name: str) -> str:
    """The name of a data set as a person gives it: of photographs the path alone, if that suffices."""
    path = name.removeprefix(PHOTOGRAPHS)
    return path if path == name or data_name(path) == name else name


def is_same_data(one: str, other: str) -> bool:
    """Whether two names are of the same data set; paths of photographs may be written differently."""
    one, other = data_name(one), data_name(other)
    if one == other or not (one.startswith(PHOTOGRAPHS) and other.startswith(PHOTOGRAPHS)):
        return one == other
    here, there = (os.path.expanduser(name.removeprefix(PHOTOGRAPHS)) for name in (one, other))
    return os.path.realpath(here) == os.path.realpath(there)


def stored_data(fields: Any) -> Any:
    """Fields of a DataConfig that a file holds: those of before the hash rule are held to their rule."""
    if isinstance(fields, str):
        fields = {"name": fields}
    if not isinstance(fields, dict) or "split_rule" in fields:
        return fields
    photographs = str(fields.get("name", "")).startswith(PHOTOGRAPHS)
    return {**fields, "split_rule": "drawn"} if photographs else fields
