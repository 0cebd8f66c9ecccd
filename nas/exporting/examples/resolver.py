"""The operators of a network as TensorFlow Lite Micro's resolver registers them."""

from __future__ import annotations

# Operators whose method of the resolver is not their name in camel case.
METHODS = {
    "CONV_2D": "AddConv2D",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "MAX_POOL_2D": "AddMaxPool2D",
    "AVERAGE_POOL_2D": "AddAveragePool2D",
    "PADV2": "AddPadV2",
}


def resolver_method(operator: str) -> str:
    """The method of MicroMutableOpResolver that registers an operator, such as AddConv2D."""
    words = "".join(word.capitalize() for word in operator.split("_"))
    return METHODS.get(operator, f"Add{words}")
