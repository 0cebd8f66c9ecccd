"""Execution: how and where the trainings of a search run, and where it keeps what it finds out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from blocks.checked_model import CheckedModel, Integer, Number
from blocks.errors import InvalidInput


class Execution(CheckedModel):
    """The part of a search's configuration that does not decide what is searched.

    Attributes:
        workers: Number of parallel trainings.
        threads: CPU threads per training; None: the machine's cores shared out among the workers.
        executor: Where trainings run.
        ray_address: Address of the Ray cluster; None: RAY_ADDRESS, or a cluster that is started on this
            machine.
        gpus: Number of GPUs that a training asks a Ray cluster for; 0.25: four trainings share one.
        checkpoints: URL of a store (``s3://bucket/folder``, a folder) through which the machines of a
            Ray cluster exchange checkpoints; None: all of them see the folder that the search runs in.
        storage: URL of the study's database; None: SQLite in the run's folder.
        logs_dir: Folder of TensorBoard's logs; None: ``nas.folders.logs_dir()``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: Annotated[Integer, Field(ge=1, le=1024)] = 1
    threads: Annotated[Integer, Field(ge=1, le=1024)] | None = None
    executor: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    gpus: Annotated[Number, Field(ge=0, le=64)] = 0.0
    checkpoints: str | None = None
    storage: str | None = None
    logs_dir: Path | None = None

    @field_validator("checkpoints")
    @classmethod
    def _only_on_a_cluster(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("executor") == "local":
            raise InvalidInput("trainings on this machine need no store; only with executor ray")
        return value

    @field_validator("storage")
    @classmethod
    def _lasting_database(cls, value: str | None) -> str | None:
        if value is not None:
            from nas.searching.database import database_url  # SQLAlchemy: most searches give no URL

            database_url(value)
        return value


def place_of_field(name: str) -> tuple[str, ...]:
    """Where a field stands in a SearchConfig: ``("execution", "workers")``, ``("seed",)``."""
    return ("execution", name) if name in Execution.model_fields else (name,)


def nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a SearchConfig with those of Execution in ``execution``.

    Files of format 1 and shorthands have them beside the others. There they win over ``execution``.
    """
    flat = {name: value for name, value in fields.items() if name in Execution.model_fields}
    inner = fields.get("execution", {})
    if not flat or not isinstance(inner, dict):
        return dict(fields)  # a wrong type is refused by the model
    others = {name: value for name, value in fields.items() if name not in flat}
    return {**others, "execution": {**inner, **flat}}
