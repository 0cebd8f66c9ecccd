"""ncnn: converted by pnnx from a TorchScript trace.

No int8: ncnn's quantizer is a program of its own that no package of Python holds.
"""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from nas.errors import WorkFailed
from nas.export.targets.target import Target, Written

PARAM, WEIGHTS = "model.ncnn.param", "model.ncnn.bin"


def write_ncnn(model: nn.Module, example: Tensor, folder: Path) -> Written:
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
    return Written((folder / PARAM, folder / WEIGHTS))


NCNN = Target(write_ncnn, None, ("ncnn", "pnnx"), form="ncnn")
