"""What Lightning is told of the processes that train together."""

from __future__ import annotations

from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from nas.training.rank_info import RankInfo


class OwnProcesses(LightningEnvironment):
    """The processes that this program started, and no others.

    Lightning would else conclude from the environment variables of a scheduler (SLURM, LSF, Kubeflow,
    torchrun, MPI) that it trains together with other tasks of the job.

    Args:
        rank_info: Of this process.
    """

    def __init__(self, rank_info: RankInfo) -> None:
        super().__init__()
        self._local_rank = rank_info.rank
        self.set_world_size(rank_info.processes)
        self.set_global_rank(rank_info.rank)

    @property
    def creates_processes_externally(self) -> bool:
        """Lightning starts no process."""
        return True

    @property
    def main_address(self) -> str:
        """Not used: the processes meet through a file."""
        return "127.0.0.1"

    def local_rank(self) -> int:
        """All processes are on this machine."""
        return self._local_rank

    def node_rank(self) -> int:
        """All processes are on this machine."""
        return 0

    def teardown(self) -> None:
        """Leave the environment variables as they are."""
