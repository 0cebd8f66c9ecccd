"""Trainings on a real Ray cluster of several nodes on this machine, one of which is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from blocks import InvalidInput
from nas.runs import Outcome, RunFolder
from nas.search import read_run
from nas.search.executors import RayExecutor
from nas.training import read_metrics

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
BOUND = 400
STORE = 80 * 2**20  # bytes; trainings leave nothing in it


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head without CPUs, and two nodes with one each."""
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        nodes.add_node(num_cpus=1, object_store_memory=STORE)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def search(name: str, address: str, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    words = [
        "search", "--space", "quickstart", "--data", "digits", "--limit", "256", "--recipe", "tiny",
        "--epochs", "40", "--trials", "2", "--workers", "2", "--sampler", "random", "--name", name,
        "--executor", "ray", "--ray-address", address, *more,
    ]  # fmt: skip
    with (folder / "output.txt").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "nas", *words], cwd=folder, stdout=output, stderr=output
        )


def test_trainings_of_a_lost_node_move_and_go_on_from_their_checkpoints(
    cluster: Cluster, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "runs/far")
    parent = search("far", cluster.address, tmp_path)
    try:
        deadline = time.monotonic() + BOUND
        while not all(read_metrics(run.trial(number)) for number in (0, 1)):
            assert parent.poll() is None, (tmp_path / "output.txt").read_text()
            assert time.monotonic() < deadline, (tmp_path / "output.txt").read_text()
            time.sleep(0.1)
        (lost, *_) = cluster.worker_nodes
        cluster.remove_node(lost, allow_graceful=False)
        assert parent.wait(BOUND) == 0, (tmp_path / "output.txt").read_text()
    finally:
        parent.kill()
    said = (tmp_path / "output.txt").read_text()
    assert "where it goes on" in said
    _, records = read_run(run)
    assert [r.outcome for r in records] == [Outcome.TRAINED] * 2
    for one in records:
        epochs = read_metrics(run.trial(one.number))
        assert [e.epoch for e in epochs] == list(range(1, 41))
        assert epochs[-1].val_error == one.values[0]


def test_no_cluster_is_said_in_one_line() -> None:
    with pytest.raises(InvalidInput, match=r"ray_address: no cluster at 127\.0\.0\.1:1: .*refused"):
        RayExecutor(1, None, 0.0, "127.0.0.1:1")
