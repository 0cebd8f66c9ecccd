"""What of the machine this process may use."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import torch
from pydantic import BaseModel, ConfigDict

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
UNLIMITED = 2**60
"""Bytes; version 1 of cgroups says such a number where there is no limit."""


class Gpu(BaseModel):
    """An accelerator.

    Attributes:
        name: As its driver has it.
        memory: Bytes.
        free: Bytes that nobody uses now; None: unknown.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    memory: int
    free: int | None


class Machine(BaseModel):
    """Cores and memory.

    Attributes:
        cores: That this process may run on.
        cores_of_machine: That there are.
        quota: Cores' worth of time that its container grants; None: no limit.
        load: Processes that wanted a core, on average over the last minute.
        memory: Bytes that there are.
        memory_limit: Bytes that its container grants; None: no limit.
        memory_free: Bytes that could be had now.
        gpus: In their order; cuda's, or Apple's one.
    """

    model_config = ConfigDict(frozen=True)

    cores: int
    cores_of_machine: int
    quota: float | None
    load: float
    memory: int
    memory_limit: int | None
    memory_free: int
    gpus: tuple[Gpu, ...]

    @property
    def busy(self) -> bool:
        """Whether what is timed now takes longer than on the idle machine."""
        return self.load > self.cores_of_machine / 2


class Limits(BaseModel):
    """Of a container: see ``Machine.quota`` and ``Machine.memory_limit``."""

    model_config = ConfigDict(frozen=True)

    quota: float | None
    memory: int | None


def this_machine() -> Machine:
    """The machine this runs on."""
    memory = psutil.virtual_memory()
    limits = cgroup_limits()
    everywhere = os.cpu_count() or 1
    affine = hasattr(os, "sched_getaffinity")
    return Machine(
        cores=len(os.sched_getaffinity(0)) if affine else everywhere,
        cores_of_machine=everywhere,
        quota=limits.quota,
        load=psutil.getloadavg()[0],
        memory=memory.total,
        memory_limit=limits.memory if (limits.memory or UNLIMITED) < memory.total else None,
        memory_free=memory.available,
        gpus=_gpus(),
    )


def cgroup_limits(root: Path = CGROUPS, own: Path = OWN_CGROUP) -> Limits:
    """The narrowest limits of this process's cgroup and those above it, of either version.

    Args:
        root: Where cgroups are mounted.
        own: The file that names the cgroup of this process.
    """
    quotas, memories = list[float](), list[int]()
    for folder in _folders(root, own):
        allowed, period = _first_line(folder / "cpu.max", 2)
        if not allowed:
            (allowed,) = _first_line(folder / "cpu.cfs_quota_us", 1)
            (period,) = _first_line(folder / "cpu.cfs_period_us", 1)
        if allowed.isdigit() and period.isdigit() and int(period) > 0:
            quotas.append(int(allowed) / int(period))
        for name in ("memory.max", "memory.limit_in_bytes"):
            (most,) = _first_line(folder / name, 1)
            if most.isdigit() and int(most) < UNLIMITED:
                memories.append(int(most))
    return Limits(quota=min(quotas, default=None), memory=min(memories, default=None))


def _folders(root: Path, own: Path) -> set[Path]:
    """Of this process's cgroups and of all above them."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    found = {root, root / "cpu", root / "memory"}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for tree in (root, *(root / name for name in controllers.split(",") if name)):
            inner = tree / path.lstrip("/")
            found |= {inner, *(above for above in inner.parents if above.is_relative_to(tree))}
    return found


def _first_line(path: Path, words: int) -> list[str]:
    try:
        found = path.read_text(encoding="utf-8").split()
    except OSError:
        found = []
    return [*found, *[""] * words][:words]


def _gpus() -> tuple[Gpu, ...]:
    if torch.cuda.is_available():
        return tuple(_cuda(index) for index in range(torch.cuda.device_count()))
    if torch.backends.mps.is_available():
        memory = torch.mps.recommended_max_memory()
        return (Gpu(name="Apple GPU (mps)", memory=memory, free=None),)
    return ()


def _cuda(index: int) -> Gpu:
    properties = torch.cuda.get_device_properties(index)
    try:
        free, _ = torch.cuda.mem_get_info(index)
    except RuntimeError:  # a card that is full, or taken by one process alone
        free = None
    return Gpu(name=properties.name, memory=properties.total_memory, free=free)
