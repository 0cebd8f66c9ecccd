"""ncnn: converted by pnnx from a TorchScript trace."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from nas.errors import WorkFailed
from nas.exporting.targets.ncnn_int8 import quantize_files
from nas.exporting.targets.quiet import quiet
from nas.exporting.targets.target import Quantization, Target, Written

PARAM, WEIGHTS = "model.ncnn.param", "model.ncnn.bin"
FP16_PARAM, FP16_WEIGHTS = "model.fp16.ncnn.param", "model.fp16.ncnn.bin"
INT8_PARAM, INT8_WEIGHTS = "model.int8.ncnn.param", "model.int8.ncnn.bin"


def write_ncnn(model: nn.Module, example: Tensor, folder: Path) -> Written:
    """Write ``model`` as ncnn's graph and weights in float32; see Target.write."""
    return _convert(model, example, (folder / PARAM, folder / WEIGHTS), fp16=False)


def write_ncnn_fp16(model: nn.Module, example: Tensor, folder: Path) -> Written:
    """Write ``model`` with weights of 16 bits, half the size; see Target.write_fp16."""
    return _convert(model, example, (folder / FP16_PARAM, folder / FP16_WEIGHTS), fp16=True)


def _convert(model: nn.Module, example: Tensor, files: tuple[Path, Path], *, fp16: bool) -> Written:
    import pnnx

    # pnnx writes a dozen files beside its input; two of them are the network.
    with tempfile.TemporaryDirectory() as name, quiet():
        scratch = Path(name)
        torch.jit.save(torch.jit.trace(model, example), scratch / "model.pt")
        shape = ",".join(map(str, example.shape))
        answer = subprocess.run(
            [pnnx.EXEC_PATH, "model.pt", f"inputshape=[{shape}]", f"fp16={int(fp16)}"],
            cwd=scratch,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode or not (scratch / PARAM).is_file():
            last = (answer.stderr or answer.stdout).strip().splitlines()[-1:]
            raise WorkFailed(f"ncnn: pnnx did not convert the network: {' '.join(last)}")
        for made, file in zip((PARAM, WEIGHTS), files, strict=True):
            file.write_bytes((scratch / made).read_bytes())
    return Written(files)


def quantize_ncnn(model: nn.Module, how: Quantization, folder: Path) -> Written:
    """Quantize the network that ``write_ncnn`` has written to int8; see Target.quantize.

    Convolutions and linear layers compute in symmetric integers. All other layers compute in float32,
    and so do convolutions in groups of 8, 16, ... channels, which ncnn computes wrongly in integers.
    """
    written = folder / INT8_PARAM, folder / INT8_WEIGHTS
    read = folder / PARAM, folder / WEIGHTS
    kept = quantize_files(model, how.images, how.per_channel, how.float_layers, read, written)
    return Written(written, float_layers=kept)


NCNN = Target(write_ncnn, quantize_ncnn, ("ncnn", "pnnx"), form="ncnn", write_fp16=write_ncnn_fp16)
