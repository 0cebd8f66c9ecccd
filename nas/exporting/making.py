"""Writes the files of a network for every runtime; a runtime that fails costs no other its files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import nn

from blocks.deploy import fuse
from blocks.errors import InvalidInput
from nas.data import Data
from nas.exporting.evaluate import training_images
from nas.exporting.int8 import quantize
from nas.exporting.pixels import from_pixels, in_network, pixels_of
from nas.exporting.shipped.runtime import Pixels, shortened
from nas.exporting.steps import Say, silent
from nas.exporting.targets import (
    TARGETS,
    Description,
    Precision,
    Quantization,
    Target,
    Wishes,
    Written,
)
from nas.training import Checkpoint

PICKING_IMAGES = 2000
"""Number of training images that decide which layers stay in float32."""


@dataclass(frozen=True)
class Made:
    """Files that are written and not yet measured."""

    target: str
    precision: Precision
    written: Written
    float_layers: tuple[str, ...] = ()
    pixels: Pixels | None = None

    @property
    def name(self) -> str:
        """Such as onnx-int8."""
        return f"{self.target}-{self.precision}"


@dataclass
class Making:
    """What has been written, and what could not be.

    Attributes:
        made: In the order of the targets.
        failed: Target -> why, in one line.
    """

    made: list[Made] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def fail(self, one: Made, reason: str) -> None:
        """Remove files that were written and are of no use."""
        self.made.remove(one)
        self.failed[one.name] = reason
        for file in one.written.files:
            file.unlink()


def make_files(
    loaded: Checkpoint,
    data: Data,
    chosen: Mapping[str, Target],
    wishes: Wishes,
    folder: Path,
    say: Say = silent,
) -> Making:
    """Write the network of ``loaded`` for each target into ``folder``; ``say`` is told each step."""
    done = Making()
    bases = {target.base for target in chosen.values()} - {None}
    # Without int8 files an example is enough.
    images = PICKING_IMAGES if wishes.int8 or bases else 1
    say("reading training images")
    with tempfile.TemporaryDirectory() as scratch:
        maker = _Maker(loaded, data, wishes, images, say, Path(scratch))
        for name, target in chosen.items():
            before = set(folder.iterdir())
            try:
                if target.base is not None:
                    done.made.append(maker.derive(name, target, folder))
                elif name in bases:
                    done.made += maker.copied_base(name, folder)
                else:
                    done.made += maker.make(name, target, folder, int8=wishes.int8)
            except (KeyboardInterrupt, InvalidInput):
                raise
            except Exception as error:  # a converter may raise anything
                done.failed[name] = reason_of(error)
                for file in set(folder.iterdir()) - before:
                    file.unlink()
    return done


def reason_of(error: BaseException) -> str:
    """Why a target failed, in one line."""
    kind = "" if type(error).__name__ == "WorkFailed" else f"{type(error).__name__}: "
    return f"{kind}{shortened(error)}"


class _Maker:
    """Writes files for one network after the other; rewritten networks are kept for the next."""

    def __init__(
        self,
        loaded: Checkpoint,
        data: Data,
        wishes: Wishes,
        images: int,
        say: Say,
        scratch: Path,
    ) -> None:
        self.say, self.scratch = say, scratch
        self.loaded, self.info, self.wishes = loaded, data.info, wishes
        self.images, self.labels = training_images(data, loaded.info.seed, images)
        self.networks: dict[str, nn.Module] = {}
        self.bases: dict[str, list[Made] | Exception] = {}

    def make(self, name: str, target: Target, folder: Path, *, int8: bool) -> list[Made]:
        """The files for one target, described where its format allows."""
        assert target.write is not None
        if target.form not in self.networks:
            self.networks[target.form] = fuse(self.loaded.model, target.form)
        network, images, pixels, limits = self.networks[target.form], self.images, None, None
        info = self.info
        if target.takes_pixels:
            wide = 3 if self.wishes.rgb else info.in_channels
            network = from_pixels(network, info.mean, info.std, wide)
            images = pixels_of(images, info.mean, info.std, wide)
            pixels, limits = Pixels(info.mean, info.std, wide), (0.0, 1.0)
        # Most of an export without int8: on two busy cores it takes a minute or two.
        self.say(f"{name}: float32, tracing the network")
        made = [Made(name, "fp32", target.write(network, images[:1], folder), pixels=pixels)]
        if self.wishes.fp16 and target.write_fp16 is not None:
            self.say(f"{name}: float16")
            written = target.write_fp16(network, images[:1], folder)
            made.append(Made(name, "fp16", written, pixels=pixels))
        if int8 and target.quantize is not None:
            how = Quantization(images, io=self.wishes.io, input_range=limits)
            done = quantize(name, target, network, how, self.labels, folder, self.say)
            kept = {*map(in_network, done.float_layers), *done.written.float_layers}
            made.append(Made(name, "int8", done.written, tuple(sorted(kept)), pixels))
        names = self.loaded.info.class_names or info.class_names
        for one in made:
            if target.describe is not None:
                target.describe(one.written.files[0], Description(names, 0.0, 255.0))
        if target.take_bytes is not None and target.takes_io(self.wishes):
            for one in made:
                target.take_bytes(one.written.files[0], info.mean, info.std)
            bytes_in = Pixels(info.mean, info.std, info.in_channels)
            made = [replace(one, pixels=bytes_in) for one in made]
        return made

    def base(self, name: str) -> list[Made]:
        """The files of a target that others are made of, the last in int8; converted once for all.

        Raises:
            Exception: The same for every target that asks, if it could not be converted.
        """
        found = self._based(name)
        if isinstance(found, Exception):
            raise found
        return found

    def _based(self, name: str) -> list[Made] | Exception:
        """The same, or why it could not be converted."""
        if name not in self.bases:
            folder = self.scratch / name
            folder.mkdir()
            try:
                self.bases[name] = self.make(name, TARGETS[name], folder, int8=True)
            except Exception as error:  # a converter may raise anything
                self.bases[name] = error
        return self.bases[name]

    def copied_base(self, name: str, folder: Path) -> list[Made]:
        """The files of a target that others are made of, as far as they were asked for."""
        if not self.wishes.int8 and isinstance(self._based(name), Exception):
            # What could not be quantized is still a float32 file.
            return self.make(name, TARGETS[name], folder, int8=False)
        wanted = [one for one in self.base(name) if one.precision != "int8" or self.wishes.int8]
        return [replace(one, written=one.written.copied_to(folder)) for one in wanted]

    def derive(self, name: str, target: Target, folder: Path) -> Made:
        """The files that are made of another target's int8 file."""
        assert target.base is not None
        assert target.derive is not None
        int8 = self.base(target.base)[-1]
        self.say(f"{name}: from the int8 file of {target.base}")
        written = target.derive(int8.written.files[0], folder, self.wishes)
        return Made(name, "int8", written, int8.float_layers, int8.pixels)
