"""Trainings on a real Ray cluster of several nodes on this machine, one of which is lost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from blocks import InvalidInput
from nas.runs import RunFolder, Store, TrialState
from nas.searching import read_run
from nas.searching.confirm.stored import read_plan
from nas.searching.executors import RayExecutor
from nas.training import read_info, read_metrics
from tests.nas.searching.search_helpers import Keep

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
BOUND = 400
EPOCHS = 24
"""So many that both trainings are at it when one of them has begun a second."""
STORE = 80 * 2**20  # bytes; trainings leave nothing in it


@pytest.fixture(scope="module")
def cluster(bucket: str) -> Iterator[Cluster]:
    """A head without CPUs, and two nodes with one each; all know the way to the bucket."""
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
        "--epochs", str(EPOCHS), "--trials", "2", "--workers", "2", "--sampler", "random",
        "--name", name, "--executor", "ray", "--ray-address", address, *more,
    ]  # fmt: skip
    with (folder / "output.txt").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "nas", *words], cwd=folder, stdout=output, stderr=output
        )


@pytest.mark.parametrize("through", ["store", pytest.param("folder", marks=pytest.mark.long)])
def test_trainings_of_a_lost_node_move_and_go_on_from_their_checkpoints(
    through: str, cluster: Cluster, bucket: str, keep: Keep, tmp_path: Path
) -> None:
    """Once all machines see the folder of the search, once they see only a store."""
    while len(cluster.worker_nodes) < 2:
        cluster.add_node(num_cpus=1, object_store_memory=STORE)
    run = RunFolder(tmp_path / "runs/far")
    store = Store(bucket)
    more = () if through == "folder" else ("--checkpoints", bucket)
    parent = search("far", cluster.address, tmp_path, *more)

    def begun(number: int) -> bool:
        if through == "folder":
            return bool(read_metrics(run.trial(number)))
        return bool(store.read(RunFolder(Path("runs/far")).trial(number).metrics))

    try:
        deadline = time.monotonic() + BOUND
        while not all(begun(number) for number in (0, 1)):
            assert parent.poll() is None, (tmp_path / "output.txt").read_text()
            assert time.monotonic() < deadline, (tmp_path / "output.txt").read_text()
            time.sleep(0.1)
        if through == "store":
            assert not run.trial(0).checkpoint.exists()
        (lost, *_) = cluster.worker_nodes
        cluster.remove_node(lost, allow_graceful=False)
        assert parent.wait(BOUND) == 0, (tmp_path / "output.txt").read_text()
    finally:
        parent.kill()
    said = (tmp_path / "output.txt").read_text()
    moved = re.findall(r"after epoch (\d+), from where it continues", said)
    assert moved
    _, records = read_run(run)
    keep(
        "ray",
        {
            "checkpoints through": through,
            "machines": 2,
            "machines lost": 1,
            "trainings": len(records),
            "trainings that moved": len(moved),
            "and went on after epoch": " ".join(moved),
            "of": EPOCHS,
            "trained": sum(one.state is TrialState.TRAINED for one in records),
        },
    )
    assert [r.state for r in records] == [TrialState.TRAINED] * 2
    for one in records:
        epochs = read_metrics(run.trial(one.number))
        assert [e.epoch for e in epochs] == list(range(1, EPOCHS + 1))
        assert epochs[-1].val_error == one.values[0]
        assert len(read_info(run.trial(one.number).checkpoint).history) == EPOCHS


def test_a_request_to_end_is_answered_in_one_line(cluster: Cluster, tmp_path: Path) -> None:
    while len(cluster.worker_nodes) < 2:
        cluster.add_node(num_cpus=1, object_store_memory=STORE)
    run = RunFolder(tmp_path / "runs/far")
    parent = search("far", cluster.address, tmp_path, "--trials", "1", "--workers", "1")
    try:
        deadline = time.monotonic() + BOUND
        while not read_metrics(run.trial(0)):
            assert parent.poll() is None, (tmp_path / "output.txt").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        parent.terminate()
        assert parent.wait(BOUND) == 1
    finally:
        parent.kill()
    *_, said = (tmp_path / "output.txt").read_text().splitlines()
    assert said == "nas: interrupted; continue with: nas search --resume far"
    assert "SIGTERM" not in (tmp_path / "output.txt").read_text()


def test_confirm_trains_again_on_the_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """Trained locally, again on the cluster and, given again, not once more."""
    while len(cluster.worker_nodes) < 2:
        cluster.add_node(num_cpus=1, object_store_memory=STORE)
    done = nas_in(
        tmp_path, "search", "--space", "quickstart", "--data", "digits", "--limit", "256", "--recipe",
        "tiny", "--epochs", "1", "--trials", "2", "--threads", "1", "--name", "near",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    words = ["confirm", "near", "--epochs", "2", "--json"]
    far = ["--executor", "ray", "--ray-address", cluster.address, "--workers", "2"]
    done = nas_in(tmp_path, *words, *far)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["confirmed"]["epochs"] == 2
    plan = read_plan(RunFolder(tmp_path / "runs/near"))
    assert plan is not None
    ends = [
        read_metrics(RunFolder(tmp_path / "runs/near").repeat(r.trial, r.repeat))
        for r in plan.repeats
    ]
    assert [len(epochs) for epochs in ends] == [1, 1]
    again = nas_in(tmp_path, *words, *far)
    assert json.loads(again.stdout) == found


def nas_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nas", *words],
        cwd=folder, capture_output=True, text=True, timeout=BOUND, check=False,
    )  # fmt: skip


def test_no_cluster_is_said_in_one_line() -> None:
    with pytest.raises(InvalidInput, match=r"ray_address: no cluster at 127\.0\.0\.1:1: .*refused"):
        RayExecutor(1, None, 0.0, "127.0.0.1:1")
