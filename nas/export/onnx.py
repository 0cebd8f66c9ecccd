"""ONNX: written by torch.export's graph, run by ONNX Runtime."""

from __future__ import annotations

import logging
import warnings
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

FILE = "model.onnx"


def write_onnx(model: nn.Module, example: Tensor, folder: Path) -> Path:
    """Write ``model`` as one ONNX file with a fixed batch of one image.

    Args:
        model: In eval mode.
        example: (1, C, H, W) float32.
        folder: Where model.onnx goes.
    """
    path = folder / FILE
    # The exporter prints its progress and warns about what it decides by itself.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (example,),
            path,
            dynamo=True,
            external_data=False,
            input_names=["image"],
            output_names=["logits"],
        )
    return path


def run_onnx(path: Path, images: Tensor) -> NDArray[np.float32]:
    """Logits (N, num_classes) of ``images`` (N, C, H, W), one image at a time on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    rows = [session.run(["logits"], {"image": image[None]})[0] for image in images.numpy()]
    return np.concatenate(rows).astype(np.float32)
