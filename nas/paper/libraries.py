"""Counts cited networks that only a library builds."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from blocks.counting import Counts


class NotInstalled(LookupError):
    """The library is not installed; it is no dependency of the program."""


@dataclass(frozen=True)
class LibraryNetwork:
    """A network by its name in a library.

    Attributes:
        library: Name of the library.
        name: Name of the network there.
        side: Side of the published network's square input in pixels.
    """

    library: Literal["torchvision", "timm"]
    name: str
    side: int = 224

    @property
    def about(self) -> str:
        """The library and the input size as text."""
        return f"{self.library}'s network at {self.side} pixels"

    def count(self) -> Counts:
        """Count the network on torch's meta device, without memory and without its activations.

        Raises:
            NotInstalled: The library is missing; one line with the package to install.
        """
        with torch.device("meta"), torch.no_grad():
            model = self._make().eval()
            image = torch.empty(1, 3, self.side, self.side)
            with FlopCounterMode(display=False) as counter:
                model(image)
        params = sum(parameter.numel() for parameter in model.parameters())
        return Counts(
            params, counter.get_total_flops() // 2
        )  # torch counts two operations per multiply-add

    def _make(self) -> nn.Module:
        if self.library == "torchvision":
            made: nn.Module = models.get_model(self.name, weights=None, init_weights=False)
            return made
        try:
            timm = importlib.import_module("timm")
        except ImportError:
            raise NotInstalled("install timm to count it") from None
        found: nn.Module = timm.create_model(self.name, pretrained=False)
        return found
