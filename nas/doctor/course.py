"""What is timed of trainings, and what came of it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from blocks import ArchSpec
from nas.data import DataConfig
from nas.training import Recipe


class Course(BaseModel):
    """What is to be timed.

    Attributes:
        specs: The networks.
        data: The images.
        recipe: How they are trained.
        threads: CPU threads.
        seconds: For each network, about.
    """

    model_config = ConfigDict(frozen=True)

    specs: tuple[ArchSpec, ...]
    data: DataConfig
    recipe: Recipe
    threads: int
    seconds: float


class Pace(BaseModel):
    """Of one network.

    Attributes:
        begin: Seconds from nothing to the end of the first step, without the images.
        step: Seconds a step, of the steps after the first.
        steps: How many were timed.
        steps_per_epoch: How many an epoch has.
        validation: Seconds that all validation images take.
        checkpoint: Seconds that writing the state takes.
    """

    model_config = ConfigDict(frozen=True)

    begin: float
    step: float
    steps: int
    steps_per_epoch: int
    validation: float
    checkpoint: float

    def training(self, epochs: int) -> float:
        """Seconds that a training of so many epochs takes."""
        epoch = self.steps_per_epoch * self.step + self.validation + self.checkpoint
        return self.begin + epochs * epoch


class Paces(BaseModel):
    """Of all networks of a course.

    Attributes:
        loading: Seconds that a process takes to have the images.
        networks: In the order of the course.
        device: Where they were trained.
    """

    model_config = ConfigDict(frozen=True)

    loading: float
    networks: tuple[Pace, ...]
    device: str
