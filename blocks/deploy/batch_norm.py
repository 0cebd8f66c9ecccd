"""BatchNorms folded into the convolutions before them."""

from __future__ import annotations

from torch import fx, nn

from blocks.deploy.conv_norm import can_fold, fold
from blocks.deploy.merged import MergedSelectiveKernel
from blocks.deploy.selective_kernel import FusedSelectiveKernel
from blocks.errors import InvalidInput
from blocks.units.selective_kernel import SelectiveKernel
from blocks.units.surgery import exchange

UNITS = (SelectiveKernel, FusedSelectiveKernel, MergedSelectiveKernel)


def fold_batch_norms(model: nn.Module) -> None:
    """Fold, in place, every BatchNorm that is the only reader of the output of a Conv2d.

    A trace of the forward pass shows which module reads which output. ``FusedSelectiveKernel`` handles
    SK units. A BatchNorm without running statistics stays.

    Args:
        model: In evaluation mode.

    Raises:
        InvalidInput: The forward pass cannot be traced, since it depends on the values it computes.
    """
    for conv_path, norm_path in conv_norm_paths(model):
        conv, norm = model.get_submodule(conv_path), model.get_submodule(norm_path)
        # An identity stays: a forward pass may count the layers of a sequence.
        exchange(model, {conv: fold(conv, norm), norm: nn.Identity()})


def conv_norm_paths(model: nn.Module) -> list[tuple[str, str]]:
    """Every Conv2d and the BatchNorm that is the only reader of its output, outside of SK units.

    Raises:
        InvalidInput: The forward pass cannot be traced, since it depends on the values it computes.
    """
    try:
        graph = _Tracer().trace(model)
    except Exception as error:  # a model may do anything with values that are not tensors
        raise InvalidInput(
            f"model: its forward pass cannot be traced ({error}); allowed: one that has the same path "
            "for every input"
        ) from error
    return [pair for node in graph.nodes if (pair := _pair(model, graph, node)) is not None]


class _Tracer(fx.Tracer):
    """A tracer that treats an SK unit as one module."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, UNITS) or super().is_leaf_module(module, name)


def _pair(model: nn.Module, graph: fx.Graph, node: fx.Node) -> tuple[str, str] | None:
    """The names of a convolution and its BatchNorm if ``node`` is a BatchNorm that can be folded."""
    if node.op != "call_module" or len(node.args) != 1:
        return None
    before = node.args[0]
    if not isinstance(before, fx.Node):
        return None
    if before.op != "call_module" or len(before.users) > 1:
        return None
    conv, norm = str(before.target), str(node.target)
    if not can_fold(model.get_submodule(conv), model.get_submodule(norm)):
        return None
    if any(
        other.op == "get_attr" and f"{other.target}".startswith(f"{conv}.") for other in graph.nodes
    ):
        return None  # Another module shares the weights of the convolution.
    calls = [other.target for other in graph.nodes if other.op == "call_module"]
    return None if calls.count(conv) > 1 or calls.count(norm) > 1 else (conv, norm)
