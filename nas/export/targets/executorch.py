"""ExecuTorch: the whole network as one partition for XNNPACK, run by ExecuTorch's Python runtime."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.export.target import Run, Target

FILE = "model.pte"


def write_executorch(model: nn.Module, example: Tensor, folder: Path) -> tuple[Path, ...]:
    """Write ``model`` as a .pte file lowered to XNNPACK; see Target.write."""
    logging.getLogger("torch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        # A grey image may carry the strides of channels_last, and the program would then expect them.
        program = torch.export.export(model, (example.flatten().view(example.shape),))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        path = folder / FILE
        path.write_bytes(lowered.to_executorch().buffer)
    return (path,)


def load_executorch(path: Path) -> Run:
    """ExecuTorch's runtime on one thread; see Target.load."""
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    # The thread pool belongs to the process; there is no other way to set it from Python.
    portable_lib._unsafe_reset_threadpool(1)
    method = Runtime.get().load_program(path).load_method("forward")

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        plain = torch.from_numpy(image.reshape(-1)).view(image.shape)  # plain strides, as in write
        (logits,) = method.execute([plain])
        return np.array(logits.numpy(), dtype=np.float32)  # a copy: the runtime reuses its memory

    return run


EXECUTORCH = Target(write_executorch, load_executorch, ("executorch",))
