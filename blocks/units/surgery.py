"""Changes to a module tree that leave every other name as it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import cast

from torch import nn


def replace(model: nn.Module, path: str, module: nn.Module | None) -> None:
    """Put ``module`` in the place of the one at ``path``; None: take that out.

    In an ``nn.Sequential`` taking out leaves no trace; elsewhere an identity stays behind, since the
    forward of the parent calls the name.
    """
    parent, name = _find(model, path)
    if isinstance(parent, nn.Sequential):
        _rewrite(parent, name, {} if module is None else {name: module})
    else:
        setattr(parent, name, nn.Identity() if module is None else module)


def exchange(model: nn.Module, instead: Mapping[nn.Module, nn.Module]) -> None:
    """Put other modules in the places of the keys of ``instead``, under every name that they have."""
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if path and module in instead:
            parent, name = _find(model, path)
            setattr(parent, name, instead[module])


def insert(model: nn.Module, path: str, name: str, module: nn.Module, *, before: bool) -> None:
    """Run ``module`` before or after the one at ``path``.

    In an ``nn.Sequential`` it stands beside it under the name ``<its name>_<name>``. Elsewhere the two
    become a Sequential with the children ``0`` and ``<name>``; where there is nothing yet, ``module``
    alone takes the name.
    """
    parent, child = _find(model, path)
    old = cast("nn.Module | None", getattr(parent, child))
    if old is None:
        setattr(parent, child, module)
        return
    beside = f"{child}_{name}" if isinstance(parent, nn.Sequential) else name
    kept = child if isinstance(parent, nn.Sequential) else "0"
    pair = {beside: module, kept: old} if before else {kept: old, beside: module}
    if isinstance(parent, nn.Sequential):
        _rewrite(parent, child, pair)
    else:
        setattr(parent, child, nn.Sequential(OrderedDict(pair)))


def block_in(model: nn.Module, path: str) -> nn.Module:
    """The block at ``path`` with the units that stand right before or after it.

    ``insert`` puts them beside it, under its name and theirs.
    """
    parent, _, name = path.rpartition(".")
    children = model.get_submodule(parent).named_children()
    found = [one for child, one in children if child == name or child.startswith(f"{name}_")]
    return found[0] if len(found) == 1 else nn.Sequential(*found)


def _find(model: nn.Module, path: str) -> tuple[nn.Module, str]:
    parent, _, name = path.rpartition(".")
    return model.get_submodule(parent), name


def _rewrite(parent: nn.Sequential, name: str, instead: dict[str, nn.Module]) -> None:
    """Let ``instead`` stand where the child ``name`` stood, in order."""
    children = list(parent.named_children())
    for child, _ in children:
        delattr(parent, child)
    for child, module in children:
        for new_name, new in (instead if child == name else {child: module}).items():
            parent.add_module(new_name, new)
