"""The cost of a network in closed form: a search reads it before it builds or trains the network."""

from __future__ import annotations

from blocks.counting import Counts
from blocks.spec import ArchSpec
from blocks.units import UNITS
from blocks.wording import check_type

PLAIN = UNITS["none"]


def count(spec: ArchSpec) -> Counts:
    """Count the network that ``spec`` names, for one image, without building it.

    The plain network is profiled once for each backbone and geometry (about 0.1 s), and the profile is
    kept. The cost of the units is computed for each spec in tens of microseconds.

    Args:
        spec: The network.

    Returns:
        Parameters, multiply-adds of convolutions and linear layers, and the elements of their outputs.
        fvcore gives exactly the same counts (see :func:`nas.cost.fvcore_counter.fvcore_count`).

    Raises:
        InvalidInput: ``spec`` is none.

    Examples:
        >>> import nas
        >>> round(nas.count(nas.ArchSpec(backbone="mobilenet_v2", unit={"kind": "none"})).mflops)
        301
    """
    check_type("spec", spec, ArchSpec, "an ArchSpec")
    plain = spec.profile
    params, macs, activations = plain.rest.params, plain.rest.macs, plain.rest.activations
    for stage in plain.stages:
        unit = spec.unit.at(stage.number)
        unit_kind = UNITS[unit.kind]
        for point, blocks in stage.groups:
            with_unit = len(blocks)
            if unit.blocks:
                with_unit = sum(unit.stands_at(block, stage.depth) for block in blocks)
            # Plain sums: adding Counts takes longer than all the counting.
            for kind, times in ((unit_kind, with_unit), (PLAIN, len(blocks) - with_unit)):
                if times:
                    one = kind.count(unit, point)
                    params += times * one.params
                    macs += times * one.macs
                    activations += times * one.activations
    return Counts(params, macs, activations)
