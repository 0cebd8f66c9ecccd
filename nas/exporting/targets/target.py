"""The interface of a runtime that networks are exported for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Literal, TypeAlias

from blocks.errors import InvalidInput
from nas.cost.microcontroller.vela import Npu

if TYPE_CHECKING:  # the names of the targets are known without torch
    from torch import Tensor, nn

    from blocks.deploy import Form
    from nas.exporting.shipped.runtime import Port


@dataclass(frozen=True)
class Description:
    """What a client is told about a classifier.

    Attributes:
        class_names: In the order of the scores.
        pixel_mean: Of the pixels from 0 to 255, which the client subtracts.
        pixel_std: What it divides by then.
    """

    class_names: Sequence[str]
    pixel_mean: float
    pixel_std: float


Precision: TypeAlias = Literal["fp32", "fp16", "int8"]
IoType: TypeAlias = Literal["float32", "int8", "uint8"]


@dataclass(frozen=True)
class Wishes:
    """What is asked of the files.

    Attributes:
        int8: Also in 8-bit integers.
        io: Type of the inputs and outputs of int8 files that take pixels; uint8 is also the type of the
            input of all files that have a choice, see ``Target.take_bytes``.
        rgb: Files that take pixels take red, green and blue, for a grey network too.
        accelerator: Of the target ethos_u, by Vela's names.
        fp16: Also in 16-bit floats, for the runtimes that have such files.
    """

    int8: bool = False
    io: IoType = "int8"
    rgb: bool = False
    accelerator: str = "ethos-u55-128"
    fp16: bool = False


@dataclass(frozen=True)
class Arena:
    """The least memory that TensorFlow Lite Micro runs a network in, on a 64-bit computer.

    Attributes:
        head: Bytes of activations, or of their planner where that needs more.
        tail: Bytes of the interpreter's bookkeeping; about half of it on a 32-bit processor.
        flash: Bytes of the file.
        operators: Kinds of operators that the application has to register.
    """

    head: int
    tail: int
    flash: int
    operators: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Of the arena."""
        return self.head + self.tail


@dataclass(frozen=True)
class Written:
    """The network for one runtime, on disk.

    Attributes:
        files: The files; the runtime loads the first one.
        undelegated: Operators that the runtime's fast library does not run; None for a runtime
            without such a library.
        float_layers: Paths of further layers of an int8 network that stay in float32, since the runtime
            has no integer form of them.
        arena: Of a microcontroller's file.
        npu: Of an accelerator's file.
        ports: What a file takes and gives, where no runtime on this machine tells it.
    """

    files: tuple[Path, ...]
    undelegated: tuple[str, ...] | None = None
    float_layers: tuple[str, ...] = ()
    arena: Arena | None = None
    npu: Npu | None = None
    ports: tuple[Port, Port] | None = None

    def copied_to(self, folder: Path) -> Written:
        """The same files in another folder."""
        return replace(
            self, files=tuple(Path(copyfile(file, folder / file.name)) for file in self.files)
        )


@dataclass(frozen=True)
class Quantization:
    """The static quantization of a network to 8-bit integers.

    Weights are symmetric; activations are affine with the range on the calibration images.

    Attributes:
        images: Training images to calibrate on, normalised, (N, C, H, W) float32.
        per_channel: One scale per output channel of a layer, the default; else one per layer, which
            costs accuracy in depthwise layers, whose channels have different ranges.
        float_layers: Paths of the convolutions and linear layers that stay in float32.
        io: Type of the inputs and outputs, where the runtime's files have a choice.
        input_range: Least and largest value of any image; None: those of ``images``.
    """

    images: Tensor
    per_channel: bool = True
    float_layers: frozenset[str] = frozenset()
    io: IoType = "float32"
    input_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Target:
    """A runtime that a network can be exported for; ``nas.exporting.shipped.runtime`` runs the files.

    Attributes:
        write: (model in evaluation mode, example image (1, C, H, W) float32, folder) -> the network in
            float32, written into the folder; it takes one image per call.
        quantize: (model, Quantization, the folder where ``write`` has written the same model) -> the
            network in int8 with float32 inputs and outputs; None: the target has no int8 files.
        write_fp16: As ``write``, with 16-bit floats; None: the runtime has no such files.
        packages: Packages that both functions and the runtime need; the manifest records their versions.
        form: The rewrite of the network for the runtime.
        takes_pixels: Whether files take pixels / 255, and so the network is given with its normalisation
            in front; else they take normalised images.
        base: The target whose int8 file this one is made of; None: it is made of the network.
        derive: (that file, the folder to write into, Wishes) -> the network for this target.
        extra: The extra of sknas that brings the packages.
        runs_here: Whether the files can be run on this machine, and so compared with PyTorch.
        describe: (file, Description): adds to a classifier's file what clients read there; None: the
            format has no place for it.
        take_bytes: (file that takes normalised images, mean, standard deviation per channel): makes it
            take pixels in uint8, normalising inside; None: the target has no such files.
        accelerators: Those that files can be compiled for; empty: the target has none.
    """

    write: Callable[[nn.Module, Tensor, Path], Written] | None
    quantize: Callable[[nn.Module, Quantization, Path], Written] | None
    packages: tuple[str, ...]
    form: Form = "graph"
    takes_pixels: bool = False
    base: str | None = None
    derive: Callable[[Path, Path, Wishes], Written] | None = None
    extra: str = "deploy"
    runs_here: bool = True
    describe: Callable[[Path, Description], None] | None = None
    write_fp16: Callable[[nn.Module, Tensor, Path], Written] | None = None
    take_bytes: Callable[[Path, Sequence[float], Sequence[float]], None] | None = None
    accelerators: Sequence[str] = ()

    @property
    def has_int8(self) -> bool:
        """Whether the target has files in 8-bit integers."""
        return self.quantize is not None or self.base is not None

    def takes_io(self, wishes: Wishes) -> bool:
        """Whether ``wishes.io`` decides what one of its files takes.

        It is the type of int8 files that take pixels; files that take normalised images may have bytes.
        """
        if self.take_bytes is not None:
            return wishes.io == "uint8"
        return self.takes_pixels and self.has_int8 and (wishes.int8 or self.base is not None)

    def check_installed(self, name: str) -> None:
        """Raise InvalidInput when a package is missing, with the command that installs it."""
        for package in self.packages:
            try:
                version(package)
            except PackageNotFoundError:
                raise InvalidInput(
                    f"target {name}: the package {package} is missing; pip install 'sknas[{self.extra}]'"
                ) from None
