"""The child process of fvcore: builds, traces and counts networks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch
from torch import nn

from blocks.build import build
from blocks.plugins import blame
from blocks.spec import ArchSpec

PRODUCTS = frozenset({"conv", "linear", "addmm", "mm", "bmm", "matmul", "einsum"})
"""fvcore's names of convolutions, linear layers and the matrix products they may be traced as."""


@dataclass(frozen=True, slots=True)
class FvcoreCount:
    """fvcore's count for one image, in evaluation mode.

    Attributes:
        params: Parameters of the built module.
        macs: Multiply-adds of convolutions and linear layers, the papers' convention.
        macs_with_norm: fvcore's own total; it adds two per input element of a BatchNorm and one per
            input element of an adaptive average pooling.
        activations: Output elements of convolutions and linear layers.
        uncounted: (operator, times) that fvcore met and did not count, sorted.
    """

    params: int
    macs: int
    macs_with_norm: int
    activations: int
    uncounted: tuple[tuple[str, int], ...]

    @property
    def mflops(self) -> float:
        """Multiply-adds of convolutions and linear layers, in millions."""
        return self.macs / 1e6

    @property
    def mflops_with_norm(self) -> float:
        """The total as fvcore prints it, in millions."""
        return self.macs_with_norm / 1e6


def trace_count(spec: ArchSpec) -> FvcoreCount:
    """Build ``spec`` and count it with fvcore in this process, which leaks memory.

    Raises:
        RuntimeError: fvcore missed a convolution or linear layer; this happens when an operator gets a
            new name in torch.
    """
    model = build(spec).eval()
    image = torch.zeros(1, spec.in_channels, spec.input_size, spec.input_size)
    with warnings.catch_warnings():
        # torch.jit warns of its deprecation at every use; the project pins a torch that still has it.
        warnings.simplefilter("ignore")
        # Imported here, so that the parent process need not load fvcore.
        from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

        flops, activations = FlopCountAnalysis(model, image), ActivationCountAnalysis(model, image)
        for analysis in (flops, activations):
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            _refuse_blind_spots(model, analysis.by_module())
    by_operator = flops.by_operator()
    # set_op_handle(name, None) leaves a handle in force, so the handles are selected here.
    products = sum(by_operator[name] for name in by_operator.keys() & PRODUCTS)
    return FvcoreCount(
        params=sum(parameter.numel() for parameter in model.parameters()),
        macs=int(products),
        macs_with_norm=int(flops.total()),
        activations=int(activations.total()),
        uncounted=tuple(sorted(flops.unsupported_ops().items())),
    )


def _refuse_blind_spots(model: nn.Module, by_module: dict[str, int]) -> None:
    """Raise RuntimeError when a convolution or linear layer is not counted."""
    blind = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and not by_module.get(name)
    ]
    if blind:
        raise RuntimeError(
            f"fvcore did not see {len(blind)} convolution or linear layer(s), such as {blind[0]}; "
            "this torch traces them under a name that this fvcore does not know"
        )


def serve(connection: Connection) -> None:
    """Reply to each spec from ``connection`` with its FvcoreCount, or with an error text."""
    torch.set_num_threads(1)
    while True:
        try:
            spec = connection.recv()
        except EOFError:
            return
        try:
            connection.send(trace_count(spec))
        except Exception as error:  # the parent gets any error of fvcore, torch or a unit
            connection.send(blame(error) or f"{type(error).__name__}: {error}")
