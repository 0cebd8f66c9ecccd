"""Changes to a module tree that keep every other name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import cast

from torch import nn


def replace(model: nn.Module, path: str, module: nn.Module | None) -> None:
    """Replace the module at ``path`` by ``module``; None removes it.

    An ``nn.Sequential`` loses the module. Another parent keeps an identity, since its forward pass calls
    the name.
    """
    parent, name = _find(model, path)
    if isinstance(parent, nn.Sequential):
        _rewrite(parent, name, {} if module is None else {name: module})
    else:
        setattr(parent, name, nn.Identity() if module is None else module)


def exchange(model: nn.Module, instead: Mapping[nn.Module, nn.Module]) -> None:
    """Replace the keys of ``instead`` by its values, under every name of the keys."""
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if path and module in instead:
            parent, name = _find(model, path)
            setattr(parent, name, instead[module])


def insert(model: nn.Module, path: str, name: str, module: nn.Module, *, before: bool) -> None:
    """Run ``module`` before or after the one at ``path``.

    An ``nn.Sequential`` gets it as a child ``<its name>_<name>``. In another parent the two become a
    Sequential with the children ``0`` and ``<name>``; if there is no module at ``path`` yet, ``module``
    gets the name alone.
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

    ``insert`` puts them next to it, under its name and theirs.
    """
    parent, _, name = path.rpartition(".")
    children = model.get_submodule(parent).named_children()
    found = [one for child, one in children if child == name or child.startswith(f"{name}_")]
    return found[0] if len(found) == 1 else nn.Sequential(*found)


def _find(model: nn.Module, path: str) -> tuple[nn.Module, str]:
    parent, _, name = path.rpartition(".")
    return model.get_submodule(parent), name


def _rewrite(parent: nn.Sequential, name: str, instead: dict[str, nn.Module]) -> None:
    """Replace the child ``name`` by ``instead``, in the same order."""
    children = list(parent.named_children())
    for child, _ in children:
        delattr(parent, child)
    for child, module in children:
        for new_name, new in (instead if child == name else {child: module}).items():
            parent.add_module(new_name, new)
