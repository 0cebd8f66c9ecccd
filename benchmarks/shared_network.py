"""One set of weights for all networks of a space: each takes its slices of the largest tensors."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call

from blocks import ArchSpec, build
from blocks.units.selective_kernel import kernel_shape
from nas.cost import count

BRANCH = re.compile(r"\.branches\.(\d+)\.")

Scheme: TypeAlias = Literal["sandwich", "single"]
"""What a step trains: the largest, the smallest and two random networks, the others by the largest's
answers as well (Yu et al., ECCV 2020); or one random network (Guo et al., ECCV 2020)."""


@dataclass(frozen=True)
class Child:
    """A network of the space, which owns no weights.

    Attributes:
        net: Its modules; of its own are only the statistics of its BatchNorms.
        names: Its parameters -> the shared ones.
    """

    net: nn.Module
    names: dict[str, str]


class SharedWeights(nn.Module):
    """The weights of all ``specs``, which differ in units of the same blocks.

    A branch is known by its kernel and dilation, so that every network with this one trains the same
    weights. Of convolutions with groups each group keeps the channels that it sees; select matrices are
    shared by networks with as many branches and channels; everything else takes the leading part.
    BatchNorms share scale and shift; their statistics are each network's own and set by
    ``recalibrate``.

    Args:
        specs: The networks.
    """

    def __init__(self, specs: Iterable[ArchSpec]) -> None:
        super().__init__()
        self._children: dict[str, Child] = {}
        largest: dict[str, Tensor] = {}
        for spec in specs:
            child = _child(spec)
            self._children[spec.key] = child
            for name, own in child.net.named_parameters():
                shared = child.names[name]
                if shared not in largest or own.numel() > largest[shared].numel():
                    largest[shared] = own.detach().clone()
        self.tensors = nn.ParameterDict(
            {name.replace(".", "/"): nn.Parameter(tensor) for name, tensor in largest.items()}
        )

    def forward(self, images: Tensor, key: str) -> Tensor:
        """Logits of ``images`` by the network ``key``."""
        child = self._children[key]
        parameters = {
            name: _part(self.tensors[child.names[name].replace(".", "/")], own.shape)
            for name, own in child.net.named_parameters()
        }
        logits: Tensor = functional_call(child.net, parameters, (images,))
        return logits

    def net(self, key: str) -> nn.Module:
        """The modules of a network."""
        return self._children[key].net

    @torch.no_grad()
    def recalibrate(self, key: str, batches: Sequence[Tensor]) -> None:
        """Set the statistics of a network's BatchNorms to the means over ``batches``."""
        net = self.net(key)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.momentum = None  # a plain mean over all batches
        net.train()
        for images in batches:
            self(images, key)
        net.eval()


def _child(spec: ArchSpec) -> Child:
    net = build(spec)
    branches = [kernel_shape(one, spec.unit.kernel) for one in sorted(spec.unit.dilations)]

    def shared(name: str, own: Tensor) -> str:
        if name.endswith(".select.weight"):
            return f"{name}.{len(branches)}.{len(own)}"
        return BRANCH.sub(lambda match: ".branches.{}x{}.".format(*branches[int(match[1])]), name)

    return Child(net, {name: shared(name, own) for name, own in net.named_parameters()})


def _part(shared: Tensor, shape: torch.Size) -> Tensor:
    """The part of ``shared`` that a network uses, a view or a gathered copy."""
    if shared.shape == shape:
        return shared
    if shared.ndim == 4 and shared.shape[2] > 1:
        # (C, W, K, K): channel c of groups of w sees c // w * w ..., of which shared holds the same.
        width, most = shape[1], shared.shape[1]
        first = (torch.arange(shape[0]) // width * width) % most
        if most % width == 0:
            columns = first[:, None] + torch.arange(width)
            return shared[torch.arange(shape[0])[:, None], columns]
    for place, size in enumerate(shape):
        shared = shared.narrow(place, 0, size)
    return shared


def drawn(specs: Sequence[ArchSpec], scheme: Scheme, rng: random.Random) -> Iterator[list[str]]:
    """The networks of each step, without end."""
    order = sorted(specs, key=lambda spec: (count(spec).mflops, spec.key))
    while True:
        if scheme == "single":
            yield [rng.choice(order).key]
        else:
            yield [order[-1].key, order[0].key, *(rng.choice(order).key for _ in range(2))]
