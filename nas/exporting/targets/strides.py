"""The strides of an example, which some converters write down."""

from __future__ import annotations

from torch import Tensor


def plain(image: Tensor) -> Tensor:
    """Drop channels_last strides of a grey image: converters would expect them, or refuse them."""
    return image.flatten().view(image.shape)
