"""Weights of a plain network from a file, into a plain network."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from blocks.backbones import Backbone
from blocks.errors import InvalidInput


def load_plain_weights(model: nn.Module, backbone: Backbone, path: Path) -> None:
    """Load a state dict of the plain network into ``model``, without executing anything in the file.

    Two layers may differ in shape: the classifier (other classes: it stays as it is) and the stem (other
    image channels: the weights of the channels are summed up and spread evenly).

    Raises:
        InvalidInput: The file cannot be read, or holds other weights than this network's.
    """
    state = _read_state(path)
    wanted = model.state_dict()
    classifier, stem = f"{backbone.classifier()}.", f"{backbone.stem()}.weight"
    if stem in state and stem in wanted and state[stem].shape[1] != wanted[stem].shape[1]:
        channels = wanted[stem].shape[1]
        state[stem] = (state[stem].sum(1, keepdim=True) / channels).expand(-1, channels, -1, -1)
    for name in [name for name in state if name.startswith(classifier)]:
        if name in wanted and state[name].shape != wanted[name].shape:
            state[name] = wanted[name]
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


def _read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in ``path``; a checkpoint of ours keeps it under ``model``."""
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such file") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:120]
        raise InvalidInput(f"{path}: not a file of weights: {reason}") from None
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise InvalidInput(f"{path}: not a file of weights: no table of tensors in it")
    return dict(content)
