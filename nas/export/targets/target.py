"""What a runtime must offer to be exported for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from blocks.errors import InvalidInput

if TYPE_CHECKING:  # the names of the targets are known without torch
    from torch import Tensor, nn

    from blocks.deploy import Form

Precision: TypeAlias = Literal["fp32", "int8"]


@dataclass(frozen=True)
class Written:
    """The network for one runtime, on disk.

    Attributes:
        files: What belongs together; the first is the one to load.
        undelegated: Operators that the runtime's fast library did not take and its slow one runs; None
            where there is no such division.
        float_layers: Of an int8 network the paths of layers left in float32 without being asked, since
            the runtime has no integers for them.
    """

    files: tuple[Path, ...]
    undelegated: tuple[str, ...] | None = None
    float_layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quantization:
    """How a network becomes one of 8-bit integers, statically.

    Weights are symmetric, activations affine with the range seen on the calibration images.

    Attributes:
        images: To calibrate on, normalised, (N, C, H, W) float32: training images.
        per_channel: One scale an output channel of a layer, default; else one a layer. Depthwise
            layers, whose channels have ranges of their own, lose by the latter.
        float_layers: Paths of the convolutions and linear layers that stay in float32.
    """

    images: Tensor
    per_channel: bool = True
    float_layers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Target:
    """A runtime that a network can be exported for; ``nas.export.shipped.runtime`` runs the files.

    Attributes:
        write: (model in evaluation mode, example image (1, C, H, W) float32, folder) -> the network in
            float32, written into the folder; it takes one image at a time.
        quantize: (model, Quantization, the folder where ``write`` has written the same model) -> the
            network in int8; takes and gives float32.
        packages: That both need, and running; the manifest records their versions.
        form: The rewrite that suits the runtime.
    """

    write: Callable[[nn.Module, Tensor, Path], Written]
    quantize: Callable[[nn.Module, Quantization, Path], Written]
    packages: tuple[str, ...]
    form: Form = "graph"

    def check_installed(self, name: str) -> None:
        """Raise InvalidInput when a package is missing, with the command that installs it."""
        for package in self.packages:
            try:
                version(package)
            except PackageNotFoundError:
                raise InvalidInput(
                    f"target {name}: the package {package} is missing; pip install 'sknas[deploy]'"
                ) from None
