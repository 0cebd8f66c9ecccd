"""The diagnosis of a machine, and the problems that prevent a search or an ONNX export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict

from nas.doctor.disk import Disk, disk_of
from nas.doctor.machine import Machine, this_machine
from nas.doctor.packages import Package, declared_packages
from nas.doctor.runtimes import Runtime, try_chip, try_runtime
from nas.doctor.sweep import Estimate, Middle, estimate
from nas.exporting.targets import FOR_CHIPS, ON_THIS_MACHINE
from nas.searching import SearchConfig

Part: TypeAlias = tuple[Package, ...] | Machine | Runtime | Disk | Estimate
NEEDED_RUNTIME = "onnx"


class Diagnosis(BaseModel):
    """The results of all checks.

    Attributes:
        packages: The requirements in pyproject.toml; empty if the program is not installed.
        machine: Cores, memory, GPUs.
        disk: The folder of runs.
        runtimes: The export runtimes.
        sweep: The estimated cost of ten trials.
    """

    model_config = ConfigDict(frozen=True)

    packages: tuple[Package, ...]
    machine: Machine
    disk: Disk
    runtimes: tuple[Runtime, ...]
    sweep: Estimate

    @property
    def problems(self) -> tuple[str, ...]:
        """The problems that prevent a search or an ONNX export; empty if there are none."""
        found = [
            f"{one.name} {one.installed or 'is missing'}: allowed: {one.required or 'any version'}"
            for one in self.packages
            if one.extra is None and not one.fits
        ]
        if self.disk.problem is not None:
            found.append(f"runs cannot be written: {self.disk.problem}")
        found += [
            f"runtime {one.name}: {one.problem}"
            for one in self.runtimes
            if one.name == NEEDED_RUNTIME and one.problem is not None
        ]
        if self.sweep.problem is not None:
            found.append(f"a training fails: {self.sweep.problem}")
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "works": not self.problems,
            "problems": list(self.problems),
            **self.model_dump(mode="json"),
        }


def diagnose(
    config: SearchConfig, networks: Middle, starting: float, tell: Callable[[Part], None]
) -> Diagnosis:
    """Run all checks, the fast ones first.

    Args:
        config: The search whose cost is estimated.
        networks: The networks of its space.
        starting: Seconds in which this process imported its modules.
        tell: Called with each result as soon as it is known.
    """
    packages, machine, disk = declared_packages(), this_machine(), disk_of()
    tell(packages)
    tell(machine)
    tell(disk)
    runtimes = []
    for name in ON_THIS_MACHINE:
        runtimes.append(try_runtime(name))
        tell(runtimes[-1])
    for name in FOR_CHIPS:
        runtimes.append(try_chip(name))
        tell(runtimes[-1])
    sweep = estimate(config, networks, machine.cores, starting)
    tell(sweep)
    return Diagnosis(
        packages=packages, machine=machine, disk=disk, runtimes=tuple(runtimes), sweep=sweep
    )
