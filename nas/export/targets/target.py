"""What a runtime must offer to be exported for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from blocks.deploy import Form
from blocks.errors import InvalidInput

Run: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""One image (1, C, H, W), normalised -> its logits (1, num_classes)."""


@dataclass(frozen=True)
class Target:
    """A runtime that a network can be exported for.

    Attributes:
        write: (model in eval mode, example image (1, C, H, W) float32, folder) -> the files it wrote
            there, the one to load first; they take one image at a time.
        load: That file -> the runtime itself, on one thread.
        packages: That both need; the manifest records their versions.
        form: The rewrite that suits the runtime.
    """

    write: Callable[[nn.Module, Tensor, Path], tuple[Path, ...]]
    load: Callable[[Path], Run]
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
