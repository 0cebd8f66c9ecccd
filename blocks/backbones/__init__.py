"""The backbones that an ArchSpec can name.

A new backbone is one file that registers it (docs/howto/own_backbone.md). A backbone of the program
itself also needs one line here.
"""

from __future__ import annotations

from blocks.backbones.base import SMALL_INPUT, Backbone, Geometry
from blocks.backbones.mobilenet import MOBILENET_V2, MOBILENET_V3_LARGE, MOBILENET_V3_SMALL
from blocks.backbones.resnet import RESNETS
from blocks.backbones.shufflenet_v2 import ShuffleNetV2
from blocks.plugins import hint, load_plugins
from blocks.registry import Registry

BACKBONES: Registry[Backbone] = Registry("backbone", Backbone, load_plugins, hint)
BACKBONES.register("shufflenet_v2", ShuffleNetV2())
BACKBONES.register("mobilenet_v2", MOBILENET_V2)
BACKBONES.register("mobilenet_v3_small", MOBILENET_V3_SMALL)
BACKBONES.register("mobilenet_v3_large", MOBILENET_V3_LARGE)
for _name, _backbone in RESNETS.items():
    BACKBONES.register(_name, _backbone)

__all__ = ["BACKBONES", "SMALL_INPUT", "Backbone", "Geometry"]
