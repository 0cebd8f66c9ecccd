"""Lightning's interface to write and read checkpoints."""

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
    """Writes Lightning's checkpoints atomically, and reads them without executing code."""

    def save_checkpoint(  # noqa: D102
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        # In memory first: torch wraps errors of the disk (full, missing) in its own error.
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
