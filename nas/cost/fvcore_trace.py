"""What happens in fvcore's own process: a network is built, traced and counted."""

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
    """What fvcore says one image costs, in evaluation mode.

    Attributes:
        params: Learnable numbers, from the built module.
        macs: Multiply-adds of convolutions and linear layers, the papers' convention.
        macs_with_norm: fvcore's own total; it adds two for each number a BatchNorm sees and one for each
            that an adaptive average pooling sees.
        activations: Numbers that convolutions and linear layers write.
        uncounted: (operator, times) that fvcore met and counted as nothing, sorted.
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
    """Build ``spec`` and count it with fvcore in this process, whose memory grows by it.

    Raises:
        RuntimeError: fvcore did not see some convolution or linear layer, as it would when an operator
            gets a new name in torch.
    """
    model = build(spec).eval()
    image = torch.zeros(1, spec.in_channels, spec.input_size, spec.input_size)
    with warnings.catch_warnings():
        # torch.jit announces its end at every use; the project pins a torch that still has it.
        warnings.simplefilter("ignore")
        # Imported here, so that the process that asks need not load fvcore.
        from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

        flops, activations = FlopCountAnalysis(model, image), ActivationCountAnalysis(model, image)
        for analysis in (flops, activations):
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            _refuse_blind_spots(model, analysis.by_module())
    by_operator = flops.by_operator()
    # Turning a handle off with set_op_handle(name, None) leaves the handle in force: so pick, not mask.
    products = sum(by_operator[name] for name in by_operator.keys() & PRODUCTS)
    return FvcoreCount(
        params=sum(parameter.numel() for parameter in model.parameters()),
        macs=int(products),
        macs_with_norm=int(flops.total()),
        activations=int(activations.total()),
        uncounted=tuple(sorted(flops.unsupported_ops().items())),
    )


def _refuse_blind_spots(model: nn.Module, by_module: dict[str, int]) -> None:
    """Raise when a layer that multiplies counts as nothing."""
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
    """Answer each spec that comes down ``connection`` with its FvcoreCount or what went wrong."""
    torch.set_num_threads(1)
    while True:
        try:
            spec = connection.recv()
        except EOFError:
            return
        try:
            connection.send(trace_count(spec))
        except Exception as error:  # whatever fvcore, torch or a unit raised is the parent's answer
            connection.send(blame(error) or f"{type(error).__name__}: {error}")
