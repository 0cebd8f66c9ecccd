"""Image files with the names that a person knows them by."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nas.data.image_batches import LabelledFiles


@dataclass(frozen=True)
class NamedFiles:
    """Image files of a split.

    Attributes:
        files: The files and their classes.
        names: Path of each, relative to the root of the data.
    """

    files: LabelledFiles
    names: tuple[str, ...]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.names)

    def first(self, count: int | None) -> NamedFiles:
        """The first so many; None: all."""
        names = self.names[:count]
        return NamedFiles(self.files.select(torch.arange(len(names))), names)
