"""The cores, the memory and the GPUs that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import torch
from pydantic import BaseModel, ConfigDict

from nas.data.shared_memory import shared_memory

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
UNLIMITED = 2**60
"""Bytes; version 1 of cgroups reports at least this number without a limit."""


class Gpu(BaseModel):
    """An accelerator.

    Attributes:
        name: The name from its driver.
        memory: Memory in bytes.
        free: Free memory in bytes; None: unknown.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    memory: int
    free: int | None


class Machine(BaseModel):
    """Cores and memory.

    Attributes:
        cores: Number of cores that this process may run on.
        cores_of_machine: Number of cores of the machine.
        quota: CPU quota of the container in cores; None: no limit.
        load: Load average of the last minute.
        memory: Memory of the machine in bytes.
        memory_limit: Memory limit of the container in bytes; None: no limit.
        memory_free: Available memory in bytes.
        gpus: The CUDA GPUs in their order, or Apple's GPU.
        shared_memory: Bytes of /dev/shm; None: there is none.
        shared_memory_free: Free bytes of it.
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
    shared_memory: int | None = None
    shared_memory_free: int | None = None

    @property
    def busy(self) -> bool:
        """Whether other processes slow down measurements now."""
        return self.load > self.cores_of_machine / 2


class Limits(BaseModel):
    """The limits of a container: see ``Machine.quota`` and ``Machine.memory_limit``."""

    model_config = ConfigDict(frozen=True)

    quota: float | None
    memory: int | None


def this_machine() -> Machine:
    """This machine."""
    memory = psutil.virtual_memory()
    limits = cgroup_limits()
    everywhere = os.cpu_count() or 1
    shared = shared_memory()
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
        shared_memory=None if shared is None else shared.total,
        shared_memory_free=None if shared is None else shared.free,
    )


def cgroup_limits(root: Path = CGROUPS, own: Path = OWN_CGROUP) -> Limits:
    """The tightest limits of this process's cgroup and its parents, of either version.

    Args:
        root: Mount point of the cgroups.
        own: The file with the cgroup of this process.
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
    """The folders of this process's cgroups and of all their parents."""
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
    except RuntimeError:  # a card that is full, or reserved by another process
        free = None
    return Gpu(name=properties.name, memory=properties.total_memory, free=free)
