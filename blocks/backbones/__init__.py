"""The backbones that an ArchSpec can name.

A new backbone is one file that registers it (docs/howto/own_backbone.md). A backbone of the program
itself also needs one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from blocks.backbones.base import IMAGENET, SMALL_INPUT, Backbone, Geometry, Normalisation
from blocks.plugins import hint, load_plugins
from blocks.registry import Registry

__all__ = ["BACKBONES", "IMAGENET", "SMALL_INPUT", "Backbone", "Geometry", "Normalisation"]

BACKBONES: Registry[Backbone] = Registry("backbone", Backbone, load_plugins, hint)
# Name -> module, and the table of backbones in it. The modules need torchvision, so a backbone is
# imported when it is asked for, and not for its name.
_MODULES = {
    "shufflenet_v2": "shufflenet_v2",
    "mobilenet_v2": "mobilenet",
    "mobilenet_v3_small": "mobilenet",
    "mobilenet_v3_large": "mobilenet",
    "efficientnet_lite0": "efficientnet_lite",
    "resnet26": "resnet",
    "resnet50": "resnet",
    "resnet101": "resnet",
    "resnext26": "resnet",
    "resnext50": "resnet",
    "resnext50_36x4d": "resnet",
    "resnext50_wider": "resnet",
    "resnext56": "resnet",
    "resnext101": "resnet",
    "resnext29_16x32d": "resnet",
    "resnext29_8x64d": "resnet",
    "resnext29_16x64d": "resnet",
}


def _later(module: str, name: str) -> Callable[[], Backbone]:
    return lambda: cast(Backbone, import_module(f"blocks.backbones.{module}").BACKBONES[name])


for _name, _module in _MODULES.items():
    BACKBONES.register_later(_name, _later(_module, _name))
