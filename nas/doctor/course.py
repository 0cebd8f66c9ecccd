"""The timing of trainings: the request and the results."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from blocks import ArchSpec
from nas.data import DataConfig
from nas.training import Recipe


class Course(BaseModel):
    """The trainings to time.

    Attributes:
        specs: The networks.
        data: The images.
        recipe: The recipe of the training.
        threads: Number of CPU threads.
        seconds: Approximate time per network.
    """

    model_config = ConfigDict(frozen=True)

    specs: tuple[ArchSpec, ...]
    data: DataConfig
    recipe: Recipe
    threads: int
    seconds: float


class Pace(BaseModel):
    """The times of one network.

    Attributes:
        begin: Seconds until the end of the first step, without loading the images.
        step: Seconds per step after the first one.
        steps: Number of timed steps.
        steps_per_epoch: Number of steps per epoch.
        validation: Seconds for all validation images.
        checkpoint: Seconds to write a checkpoint.
    """

    model_config = ConfigDict(frozen=True)

    begin: float
    step: float
    steps: int
    steps_per_epoch: int
    validation: float
    checkpoint: float

    def training(self, epochs: int) -> float:
        """Seconds of a training of ``epochs`` epochs."""
        epoch = self.steps_per_epoch * self.step + self.validation + self.checkpoint
        return self.begin + epochs * epoch


class Paces(BaseModel):
    """The times of all networks of a course.

    Attributes:
        loading: Seconds in which a process loads the images.
        networks: The times of each network, in the order of the course.
        device: The device of the trainings.
    """

    model_config = ConfigDict(frozen=True)

    loading: float
    networks: tuple[Pace, ...]
    device: str
