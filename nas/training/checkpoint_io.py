"""How Lightning writes and reads checkpoints here."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from nas.runs import replace_file
from nas.training.checkpoint import load_content


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoints, written whole or not at all and read without executing anything."""

    def save_checkpoint(  # noqa: D102
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        # In memory first: torch would wrap what the disk says (full, gone) into an error of its own.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with replace_file(Path(path)) as file:
            file.write(content.getbuffer())

    def load_checkpoint(  # noqa: D102
        self,
        path: Any,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = True,
    ) -> dict[str, Any]:
        return load_content(Path(path))
