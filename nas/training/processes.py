"""Several processes of this machine that train one network together, and their parent.

Each process has the whole network and a share of every batch; Lightning's DDP averages the gradients.
The parent does not train. It ends all processes when one of them fails.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, TypeAlias

import torch
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.strategies import DDPStrategy

from blocks.errors import InvalidInput
from nas.errors import WorkFailed
from nas.runs import TrialFolder, write_text
from nas.training.begin import begin_process
from nas.training.checkpoint_io import AtomicCheckpointIO
from nas.training.fork_server import fork_process, kill_process
from nas.training.job import EpochMetrics, TrainJob
from nas.training.rank_info import RankInfo

History: TypeAlias = tuple[EpochMetrics, ...]
Work: TypeAlias = Callable[[RankInfo, Callable[[EpochMetrics], None]], History]
"""What each process does: called with its rank and with the function that reports an epoch."""

GRACE_SECONDS = 5
"""Seconds that the other processes may take to report an error after one has failed."""
EXPECTED = (InvalidInput, WorkFailed, FloatingPointError, OSError)
"""Errors with a one-line message."""


def placement(devices: int) -> dict[str, Any]:
    """Lightning's options for a process that trains alone, or together with others."""
    options: dict[str, Any] = {"accelerator": "auto", "devices": devices}
    if devices == 1:
        return {**options, "plugins": [AtomicCheckpointIO()]}
    return {
        **options,
        # BatchNorms' statistics are the same everywhere; there is nothing to copy.
        "strategy": DDPStrategy(broadcast_buffers=False),
        "use_distributed_sampler": False,
        # It reads the rank of the process from environment variables and starts no process itself.
        "plugins": [AtomicCheckpointIO(), TorchElasticEnvironment()],
    }


def train_together(
    work: Work, job: TrainJob, on_epoch: Callable[[EpochMetrics], None] | None
) -> History:
    """Have ``job.devices`` processes do ``work``.

    Args:
        work: A function that can be pickled.
        job: The job; the output of the processes goes to the output file of its folder.
        on_epoch: Called in this process at the end of every epoch.

    Returns:
        The result of rank 0.

    Raises:
        WorkFailed: A process failed or was killed; the others have ended, too.
        InvalidInput: A process raised it, or another error with a one-line message.
    """
    folder = TrialFolder(job.folder)
    folder.error.unlink(missing_ok=True)
    threads = job.threads or max(1, torch.get_num_threads() // job.devices)
    members: dict[Connection, ForkServerProcess] = {}
    with TemporaryDirectory(prefix="nas-") as place_to_meet:
        meeting = Path(place_to_meet) / "meeting"
        try:
            for rank in range(job.devices):
                rank_info = RankInfo(rank, job.devices)
                ours, theirs = Pipe(duplex=False)
                environment = _environment(rank_info, threads)
                arguments = (work, rank_info, folder, meeting, environment, theirs)
                members[ours] = fork_process(_member, arguments)
                theirs.close()
            return _follow(members, folder, on_epoch)
        finally:
            for process in members.values():
                kill_process(process)
            for process in members.values():
                process.join()


def _follow(
    members: Mapping[Connection, ForkServerProcess],
    folder: TrialFolder,
    on_epoch: Callable[[EpochMetrics], None] | None,
) -> History:
    """Receive results until all processes have ended or one has failed."""
    waiting, histories, failures = list(members), [], list[Exception]()
    deadline: float | None = None
    while waiting and (deadline is None or time.monotonic() < deadline):
        for connection in wait(waiting, GRACE_SECONDS):
            assert isinstance(connection, Connection)
            try:
                message = connection.recv()
            except EOFError:
                waiting.remove(connection)
                failures += _how_it_ended(members, connection, folder)
            else:
                if isinstance(message, Exception):
                    failures.append(message)
                elif isinstance(message, EpochMetrics):
                    if on_epoch is not None:
                        on_epoch(message)
                else:
                    histories.append(message)
        if failures and deadline is None:
            deadline = time.monotonic() + GRACE_SECONDS
    if failures:
        # When one goes, the others lose their connection to it: that is not what happened.
        raise next((f for f in failures if not isinstance(f, WorkFailed)), failures[0])
    history: History = histories[0]
    return history


def _how_it_ended(
    members: Mapping[Connection, ForkServerProcess], connection: Connection, folder: TrialFolder
) -> list[Exception]:
    process = members[connection]
    process.join()
    code = process.exitcode
    if code in (0, 1):  # 1: it has said why
        return []
    how = f"was killed by signal {-code}" if code and code < 0 else f"ended with exit code {code}"
    number = list(members).index(connection) + 1
    return [
        WorkFailed(
            f"training process {number} of {len(members)} {how}; what it printed: {folder.output}; "
            "the same command continues from the last epoch"
        )
    ]


def _environment(rank_info: RankInfo, threads: int) -> dict[str, str]:
    # They all run on this machine, and nobody else is to hear of it.
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    return {
        "GLOO_SOCKET_IFNAME": loopback,
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "RANK": str(rank_info.rank),
        "LOCAL_RANK": str(rank_info.rank),
        "WORLD_SIZE": str(rank_info.processes),
    }


def _member(
    work: Work,
    rank_info: RankInfo,
    folder: TrialFolder,
    meeting: Path,
    environment: Mapping[str, str],
    answers: Connection,
) -> NoReturn:
    """The main function of each process."""
    begin_process(folder.output, environment)
    torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
    try:
        _meet(rank_info, meeting)
        answers.send(work(rank_info, answers.send))
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
    except EXPECTED as error:
        answers.send(error)
        sys.exit(1)
    except BaseException as error:
        write_text(folder.error, traceback.format_exc())
        failed = f"training process {rank_info.rank + 1} of {rank_info.processes}: {error!r:.300}"
        answers.send(WorkFailed(f"{failed}; details: {folder.error}"))
        sys.exit(1)
    sys.exit(0)


def _meet(rank_info: RankInfo, meeting: Path) -> None:
    """Join the process group through a file, so that no port is needed."""
    gpus = torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(rank_info.rank)
    torch.distributed.init_process_group(
        "nccl" if gpus else "gloo",
        init_method=f"file://{meeting}",
        rank=rank_info.rank,
        world_size=rank_info.processes,
    )
