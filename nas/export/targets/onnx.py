"""ONNX: written by torch.export's graph, run by ONNX Runtime."""

from __future__ import annotations

import logging
import warnings
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.export.target import Run, Target

FILE = "model.onnx"


def write_onnx(model: nn.Module, example: Tensor, folder: Path) -> tuple[Path, ...]:
    """Write ``model`` as one ONNX file; see Target.write."""
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
    return (path,)


def load_onnx(path: Path) -> Run:
    """ONNX Runtime on one thread of the CPU; see Target.load."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        (logits,) = session.run(["logits"], {"image": image})
        return np.asarray(logits, dtype=np.float32)

    return run


ONNX = Target(write_onnx, load_onnx, ("onnx", "onnxscript", "onnxruntime"))
