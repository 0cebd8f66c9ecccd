"""Variables of a scheduler do not make a training wait for other tasks of its job."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lightning_utilities.core.rank_zero import rank_zero_only

from blocks.unit_spec import UnitSpec
from nas.cli.main import main
from nas.training.environment import OwnProcesses
from nas.training.fork_server import fork_process
from nas.training.rank_info import RankInfo
from nas.training.waiting import CHOICES, POLICY, passive_waiting

FOREIGN = {
    "SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1",
    "SLURM_JOB_NAME": "sweep", "SLURM_NODEID": "1", "SLURM_NODELIST": "node[1-4]",
    "TORCHELASTIC_RUN_ID": "1", "GROUP_RANK": "2", "NODE_RANK": "2", "RANK": "5", "LOCAL_RANK": "1",
    "WORLD_SIZE": "8", "MASTER_ADDR": "far.away", "MASTER_PORT": "1", "KUBERNETES_PORT": "tcp://x:1",
    "LSB_JOBID": "1", "LSB_DJOB_RANKFILE": "nowhere", "JSM_NAMESPACE_RANK": "3",
    "JSM_NAMESPACE_SIZE": "4", "JSM_NAMESPACE_LOCAL_RANK": "3", "OMPI_COMM_WORLD_RANK": "2",
}  # fmt: skip


@pytest.mark.parametrize("rank_info", [RankInfo(), RankInfo(1, 2)])
def test_the_ranks_are_those_of_this_program(
    rank_info: RankInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    before = vars(rank_zero_only)["rank"]
    try:
        own = OwnProcesses(rank_info)
        assert vars(rank_zero_only)["rank"] == rank_info.rank
    finally:
        vars(rank_zero_only)["rank"] = before
    assert (own.global_rank(), own.local_rank(), own.node_rank()) == (
        rank_info.rank, rank_info.rank, 0,
    )  # fmt: skip
    assert own.world_size() == rank_info.processes
    assert own.creates_processes_externally


@pytest.mark.integration
def test_a_full_training_inside_a_job_of_several_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nas

    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    spec = nas.ArchSpec(
        backbone="shufflenet_v2", width=0.5, num_classes=10, in_channels=1, input_size=16,
        stem_stride=1, unit=UnitSpec(kind="none"),
    )  # fmt: skip
    done = nas.train(
        spec, data="digits", recipe="tiny", epochs=1, runs_dir=tmp_path, logs_dir=tmp_path / "logs",
        name="one", threads=1,
    )  # fmt: skip
    assert done.test_images == 359


def test_threads_of_trainings_wait_passively(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes that train are forked from a server, whose environment OpenMP has read."""
    for name in CHOICES:
        monkeypatch.delenv(name, raising=False)
    process = fork_process(environment_of_server, (tmp_path / "environment",))
    process.join()
    assert b"OMP_WAIT_POLICY=passive" in (tmp_path / "environment").read_bytes().split(b"\0")
    assert POLICY not in os.environ
    assert main(["train", "nowhere", "--threads", "2"]) == 2
    assert os.environ[POLICY] == "passive"
    monkeypatch.delenv(POLICY)
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    assert passive_waiting() == {}


def environment_of_server(file: Path) -> None:
    """Write the environment that the server was started with."""
    file.write_bytes(Path(f"/proc/{os.getppid()}/environ").read_bytes())
