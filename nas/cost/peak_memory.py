"""The peak memory of the activations."""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn


def peak_activation_bytes(model: nn.Module, example: Tensor) -> int:
    """The largest number of bytes of live activations during one forward pass.

    Every operator of the exported graph writes a buffer that lives until its last reader has run; views
    take no memory. A runtime that fuses operators or works in place needs less, and its scratch memory
    comes on top. Weights are not counted.

    Args:
        model: An exportable module in evaluation mode.
        example: One input, (1, C, H, W).
    """
    graph = torch.export.export(model, (example,)).run_decompositions().graph
    buffers: dict[fx.Node, fx.Node] = {}
    sizes: dict[fx.Node, int] = {}
    births: dict[fx.Node, int] = {}
    deaths: dict[fx.Node, int] = {}
    for step, node in enumerate(graph.nodes):
        for read in node.all_input_nodes:
            if read in buffers:
                deaths[buffers[read]] = step
        value = node.meta.get("val")
        if not isinstance(value, Tensor) or _is_weight(node):
            continue
        source = _viewed(node)
        buffers[node] = buffers.get(source, node) if source is not None else node
        births.setdefault(buffers[node], step)
        deaths.setdefault(buffers[node], step)
        sizes[buffers[node]] = max(
            sizes.get(buffers[node], 0), value.numel() * value.element_size()
        )
    return max(
        sum(size for node, size in sizes.items() if births[node] <= step <= deaths[node])
        for step in set(births.values())
    )


def _is_weight(node: fx.Node) -> bool:
    return node.op == "placeholder" and node.name.startswith(("p_", "b_", "c_"))


def _viewed(node: fx.Node) -> fx.Node | None:
    """The node whose memory ``node`` shares."""
    schema = getattr(node.target, "_schema", None)
    if node.op != "call_function" or schema is None:
        return None
    aliases = any(returned.alias_info is not None for returned in schema.returns)
    return node.all_input_nodes[0] if aliases and node.all_input_nodes else None
