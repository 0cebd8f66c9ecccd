"""Loads weights of a plain network from a file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from blocks.backbones import IMAGENET, Backbone, Normalisation
from blocks.errors import InvalidInput


def load_plain_weights(
    model: nn.Module, backbone: Backbone, path: Path, normalisation: Normalisation = IMAGENET
) -> bool:
    """Load a state dict of the plain network into ``model``, without executing anything in the file.

    Two layers may differ in shape: the classifier (other classes; it stays as it is) and the stem (other
    image channels; the weights are summed over the channels and spread evenly).

    Args:
        model: The plain network.
        backbone: Its family.
        path: Weights by our names, by those of another layout that ``backbone`` knows, or a checkpoint.
        normalisation: Of the images that the network will see, for weights that know another one.

    Returns:
        Whether the classifier was loaded, too.

    Raises:
        InvalidInput: The file cannot be read, or holds the weights of another network.
    """
    state = read_state(path)
    wanted = model.state_dict()
    classifier, stem = f"{backbone.classifier()}.", f"{backbone.stem()}.weight"
    channels = wanted[stem].shape[1]
    state = backbone.convert(state, normalisation.of_channels(channels))
    backbone.spread_stem(state, channels)
    replaced = False
    for name in [name for name in state if name.startswith(classifier)]:
        if name in wanted and state[name].shape != wanted[name].shape:
            state[name] = wanted[name]
            replaced = True
    for name in wanted:
        if name.endswith(".num_batches_tracked"):  # files from before torch 0.4.1 have none
            state.setdefault(name, wanted[name])
    unknown = [name for name in state if name not in wanted]
    missing = [name for name in wanted if name not in state]
    reshaped = [n for n in wanted if n in state and state[n].shape != wanted[n].shape]
    for problem, names in (("unknown", unknown), ("missing", missing), ("misshapen", reshaped)):
        if names:
            raise InvalidInput(
                f"{path}: not the weights of this plain network: {len(names)} {problem}, "
                f"such as {names[0]}"
            )
    model.load_state_dict(state)
    return not replaced


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in ``path``; a checkpoint of ours keeps it under ``model``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of foreign pickles, before torch refuses them
            content: Any = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such file") from None
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from None
    except Exception:  # torch raises almost any error for a damaged file, often without a text
        raise InvalidInput(
            f"{path}: not a file of weights: damaged, or with more in it than tensors, which is not read"
        ) from None
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise InvalidInput(f"{path}: not a file of weights: no table of tensors in it")
    return dict(content)
