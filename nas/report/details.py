"""The details of a trained network: its figures, its YAML and the next commands."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from nas.report.material import Material
from nas.report.summary import Fact
from nas.runs import TrialRecord


@dataclass(frozen=True)
class Network:
    """A trained network in full.

    Attributes:
        trial: Number of its trial.
        place: Its position relative to the front, as the end of a sentence.
        figures: Its objectives.
        key: Its canonical name.
        yaml: The network, in the form of ``nas train`` and ``nas count``.
        commands: Command lines for the next steps.
    """

    trial: int
    place: str
    figures: tuple[Fact, ...]
    key: str
    yaml: str
    commands: tuple[str, ...]


def networks(material: Material) -> tuple[Network, ...]:
    """All trained networks, by trial."""
    front = {point.trial for point in material.front.points}
    return tuple(_network(one, material, one.number in front) for one in material.trained)


def _network(one: TrialRecord, material: Material, on_front: bool) -> Network:
    figures = zip(material.config.objectives, one.values, strict=True)
    place = "on the front" if on_front else "behind the front"
    if material.knee and material.knee.trial == one.number:
        place = "the knee of the front"
    run, target = shlex.quote(material.name), material.config.export_target
    return Network(
        trial=one.number,
        place=place,
        figures=tuple(
            Fact(material.label(name), material.digits(name, value)) for name, value in figures
        ),
        key=one.key,
        yaml=one.spec.to_yaml(),
        commands=(
            f"nas train {run} --trial {one.number}",
            f"nas export {run} --trial {one.number} --targets {target}",
        ),
    )
