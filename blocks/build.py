"""Builds the torch module of an ArchSpec."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from blocks.errors import InvalidInput
from blocks.wording import check_type, short

if TYPE_CHECKING:
    from torch import nn

    from blocks.spec import ArchSpec


def build(
    spec: ArchSpec,
    *,
    start: Literal["fresh", "plain"] = "fresh",
    pretrained: str | Path | None = None,
) -> nn.Module:
    """Build the network that ``spec`` names; equal keys give equal modules.

    With ``unit.kind: none`` the module is torchvision's own, with the same weight names. A unit replaces
    a convolution (and its BatchNorm), or follows a layer that keeps its name. ResNet blocks have no list
    of layers: the layer before a unit is named ``NAME.0`` there.

    Args:
        spec: The network.
        start: "fresh": units start from their own initialisation, or, when there are pretrained weights,
            from the depthwise weights they replace. "plain": units start so that the whole network
            computes the function of the plain network before training.
        pretrained: A file of weights of the plain network (torchvision's, or a checkpoint of a plain
            network trained here). A classifier for other classes stays fresh, and the weights of a
            colour stem are summed for grey images.

    Returns:
        A module from (B, in_channels, input_size, input_size) to (B, num_classes) logits. Random weights
        come from torch's global generator.

    Raises:
        InvalidInput: The weights do not fit, or ``start="plain"`` is impossible for this unit.

    Examples:
        >>> import nas, torch
        >>> spec = nas.ArchSpec(backbone="shufflenet_v2", width=0.5, num_classes=10, input_size=32)
        >>> network = nas.build(spec)
        >>> network(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    if start not in ("fresh", "plain"):
        raise InvalidInput(f"start: {short(start)}; allowed: fresh, plain")
    # Here, for `import blocks` loads this module, and torch takes seconds to import.
    from blocks.backbones import BACKBONES
    from blocks.spec import ArchSpec
    from blocks.units import UNITS

    check_type("spec", spec, ArchSpec, "an ArchSpec")
    model = BACKBONES[spec.backbone].make(spec.geometry)
    if pretrained is not None:
        check_type("pretrained", pretrained, (str, Path), "the path of a file")
        from blocks.pretrained import load_plain_weights

        load_plain_weights(model, BACKBONES[spec.backbone], Path(pretrained))
    plain = spec.profile
    fallback: Literal["inherit", "fresh"] = "fresh" if pretrained is None else "inherit"
    for paths, point in zip(plain.module_paths, plain.insertion_points, strict=True):
        unit = spec.unit_at(paths)
        UNITS[unit.kind].install(
            model, paths, unit, point, "plain" if start == "plain" else fallback
        )
    return model
