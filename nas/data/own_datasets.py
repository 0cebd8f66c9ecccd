"""How the items of a data set of one's own are read and checked."""

from __future__ import annotations

import random
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from blocks.errors import InvalidInput
from blocks.plugins import frame_to_blame, reason_of
from blocks.wording import kind_of, number, plural
from nas.data.image_files import crop
from nas.data.photo import PhotoError, upright_rgb
from nas.data.trivial_augment import trivial_augment_tensor
from nas.plugins import place_of

PAIR = "a pair (PIL image or tensor, label)"


@dataclass(frozen=True)
class Form:
    """What all images of a set have in common.

    Attributes:
        pil: Whether they are PIL images.
        channels: Of an image: 1 or 3, for tensors any number.
        size: Side of an image, or of the crop of a PIL image.
        floating: Whether they are tensors in [0, 1].
        classes: Number of classes.
    """

    pil: bool
    channels: int
    size: int
    floating: bool
    classes: int


class Request(NamedTuple):
    """One item, and how it is wanted.

    Attributes:
        row: Position in the part.
        seed: Of whatever is random about it.
        crop: Whether a PIL image is cropped at random; else its centre is taken.
        trivial: Whether TrivialAugment follows.
    """

    row: int
    seed: int
    crop: bool
    trivial: bool = False


@dataclass(frozen=True)
class Refused:
    """Takes the place of an item that cannot be used; an exception would come with a traceback."""

    message: str


@dataclass(frozen=True)
class Part:
    """The first items of a split.

    Attributes:
        split: ``train``, ``val`` or ``test``.
        items: All of the split.
        length: How many are used.
    """

    split: str
    items: Dataset[Any]
    length: int


class Items(Dataset["tuple[Tensor, int] | Refused"]):
    """Parts of splits one after the other, as crops and labels.

    Args:
        name: Of the data set, for messages.
        place: Of the callable that gave it, for messages.
        parts: What is read.
        form: What every item must have.
    """

    def __init__(self, name: str, place: str, parts: Sequence[Part], form: Form) -> None:
        self._name = name
        self._place = place
        self._parts = tuple(parts)
        self._form = form

    def __len__(self) -> int:
        """Number of items."""
        return sum(part.length for part in self._parts)

    @property
    def item_bytes(self) -> int:
        """Bytes of an image."""
        form = self._form
        return form.channels * form.size**2 * (4 if form.floating else 1)

    def __getitem__(self, request: Request) -> tuple[Tensor, int] | Refused:
        """(C, S, S), uint8 or float32 in [0, 1], and the label; or why there is none."""
        row = request.row
        for part in self._parts:
            if row < part.length:
                break
            row -= part.length
        else:
            raise IndexError(request.row)
        try:
            with seeded(request.seed):
                item, label = read_item(part, row, self._name, self._place)
                image = self._image(item, request)
                if request.trivial:
                    image = trivial_augment_tensor(image, request.seed)
                return image, self._label(label)
        except InvalidInput as error:
            return Refused(str(error))
        except _Wrong as wrong:
            said = f"data {self._name}: {self._place}: {part.split}[{row}]: {wrong}"
            return Refused(said)

    def _image(self, image: object, request: Request) -> Tensor:
        form = self._form
        if isinstance(image, Image.Image) and form.pil:
            try:
                image = upright_rgb(image)
            except PhotoError as error:
                raise _Wrong(f"a PIL image with {error.reason}") from None
            pixels = np.asarray(image if form.channels == 3 else image.convert("L"))
            pixels = pixels.reshape(image.height, image.width, form.channels)
            square = crop(pixels, form.size, request.seed if request.crop else None)
            # Copied: what torch gets must be writable.
            return torch.from_numpy(square.copy()).permute(2, 0, 1)
        if not isinstance(image, Tensor) or form.pil:
            kinds = ("a tensor", "a PIL image") if form.pil else ("a PIL image", "a tensor")
            known = isinstance(image, Tensor | Image.Image)
            got = kinds[0] if known else kind_of(image)
            raise _Wrong(f"{got}; expected {kinds[1]}, as train[0] is one")
        return _checked(image, form)

    def _label(self, label: object) -> int:
        number = whole_number(label)
        if number is None or not 0 <= number < self._form.classes:
            raise _Wrong(
                f"label {label!r:.40}; expected an integer from 0 to {self._form.classes - 1}, the "
                "place of a class name"
            )
        return number


class _Wrong(Exception):
    """What is wrong with an item, and what is expected."""


def _checked(image: Tensor, form: Form) -> Tensor:
    wanted = (form.channels, form.size, form.size)
    if tuple(image.shape) != wanted:
        raise _Wrong(f"a tensor of shape {tuple(image.shape)}; expected {wanted}, as of train[0]")
    if not form.floating:
        if image.dtype != torch.uint8:
            raise _Wrong(f"a tensor of {image.dtype}; expected torch.uint8, as of train[0]")
        return image
    if not image.is_floating_point():
        raise _Wrong(f"a tensor of {image.dtype}; expected floating point, as of train[0]")
    low, high = float(image.min()), float(image.max())
    if not (low >= -1e-3 and high <= 1 + 1e-3):  # also where one of them is NaN
        raise _Wrong(
            f"values from {number(low)} to {number(high)}; expected [0, 1] (normalising is done later)"
        )
    return image.detach().float().clamp(0, 1)


def whole_number(label: object) -> int | None:
    """A label as an int; None when it is no integer."""
    if isinstance(label, Tensor | np.ndarray):
        label = label.item() if label.ndim == 0 else None
    if isinstance(label, bool | np.bool_) or not isinstance(label, int | np.integer):
        return None
    return int(label)


def read_item(part: Part, row: int, name: str, place: str) -> tuple[object, object]:
    """Image and label as the dataset gives them.

    Raises:
        InvalidInput: The dataset raises, or gives no pair.
    """
    try:
        item = part.items[row]
    except Exception as error:  # whatever their code raises
        frame = frame_to_blame(error) or traceback.extract_tb(error.__traceback__)[-1]
        raise InvalidInput(
            f"data {name}: {frame.filename}, line {frame.lineno}: {part.split}[{row}] raises "
            f"{reason_of(error)}; expected {PAIR}"
        ) from error
    if not isinstance(item, tuple | list) or len(item) != 2:
        got = plural(len(item), "value") if isinstance(item, tuple | list) else kind_of(item)
        at = place_of(part.items) or place
        raise InvalidInput(f"data {name}: {at}: {part.split}[{row}] is {got}; expected {PAIR}")
    image, label = item
    return image, label


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Whatever a dataset draws, it draws again for the same seed; the program draws on as before."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
