"""ncnn: converted by pnnx from a TorchScript trace, run by ncnn's Python module."""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.errors import WorkFailed
from nas.export.target import Run, Target

PARAM, WEIGHTS = "model.ncnn.param", "model.ncnn.bin"


def write_ncnn(model: nn.Module, example: Tensor, folder: Path) -> tuple[Path, ...]:
    """Write ``model`` as ncnn's graph and weights in float32; see Target.write."""
    import pnnx

    # pnnx writes a dozen files next to its input; two of them are the network.
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scratch = Path(name)
        torch.jit.save(torch.jit.trace(model, example), scratch / "model.pt")  # type: ignore[no-untyped-call]
        shape = ",".join(map(str, example.shape))
        answer = subprocess.run(
            [pnnx.EXEC_PATH, "model.pt", f"inputshape=[{shape}]", "fp16=0"],
            cwd=scratch,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode or not (scratch / PARAM).is_file():
            last = (answer.stderr or answer.stdout).strip().splitlines()[-1:]
            raise WorkFailed(f"ncnn: pnnx did not convert the network: {' '.join(last)}")
        for file in (PARAM, WEIGHTS):
            (folder / file).write_bytes((scratch / file).read_bytes())
    return folder / PARAM, folder / WEIGHTS


def load_ncnn(path: Path) -> Run:
    """Run by ncnn on one thread of the CPU; see Target.load."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    # By default ncnn keeps weights in 16 bits; the file is float32, and so are its outputs here.
    net.opt.use_fp16_storage = net.opt.use_fp16_packed = net.opt.use_fp16_arithmetic = False
    net.load_param(str(path))
    net.load_model(str(path.with_name(WEIGHTS)))

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(image[0]))
        _, logits = extractor.extract("out0")
        return np.array(logits, dtype=np.float32)[None]

    return run


NCNN = Target(write_ncnn, load_ncnn, ("ncnn", "pnnx"), form="ncnn")
