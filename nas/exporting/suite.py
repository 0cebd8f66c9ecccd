"""Writes a latency benchmark suite: its measurements predict the latency of a space's networks."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import random
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from blocks import ArchSpec, build
from blocks.deploy import fuse
from blocks.errors import InvalidInput
from blocks.spec import NO_UNIT
from blocks.unit_spec import UnitOverride, UnitSpec
from blocks.units.surgery import block_in
from nas.cost.latency import Block, blocks_of, plain_of
from nas.errors import WorkFailed
from nas.exporting.places import BENCH, SHIPPED, UNFINISHED
from nas.exporting.shipped.runtime import OLD_SUITE, SUITE, SUITE_FORMAT
from nas.exporting.targets import OF_NETWORKS, TARGETS, Precision, Quantization
from nas.plugins import without_main
from nas.runs import check_folders_above, write_text
from nas.training.begin import end_with_parent
from nas.training.fork_server import block_sigint

WHOLE_NETWORKS = 20
"""Number of networks that are measured whole, to calibrate the sum over their blocks."""
CALIBRATION = 4
"""Number of random images that calibrate an int8 benchmark; its latency does not depend on them."""

ENTRY, PARTIAL = "benchmark.json", ".half-"
OLD_ENTRY = "piece.json"
"""Of version 0.1; an unfinished suite of that version is completed."""


@dataclass(frozen=True)
class Benchmark:
    """A block with its unit, or a whole network, that is exported and measured on its own.

    Attributes:
        key: Canonical name of the network, or of the block with its unit.
        spec: The network, or one that contains the block.
        path: Path of the block in the network; empty for a whole network.
        shape: Shape of its input, (1, C, H, W).
    """

    key: str
    spec: ArchSpec
    path: str
    shape: tuple[int, ...]

    @property
    def folder(self) -> str:
        """Name of its folder in the suite."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:16]


def benchmarks_of(
    specs: Iterable[ArchSpec], seed: int, whole: int = WHOLE_NETWORKS
) -> list[Benchmark]:
    """The benchmarks that predict the latency of the networks ``specs``.

    Args:
        specs: All networks of a space, or a large sample.
        seed: Seed of the choice of networks that are measured whole.
        whole: Number of networks that are measured whole, besides the plain networks; default 20.
    """
    specs = list(specs)
    chosen = random.Random(seed).sample(specs, min(whole, len(specs)))
    # Networks of one geometry share their plain network; a look-up is faster than a key.
    plains = {(spec.backbone, spec.geometry): spec for spec in specs}
    networks = [*map(plain_of, plains.values()), *chosen]
    found = {spec.key: Benchmark(spec.key, spec, "", _input(spec)) for spec in networks}
    seen: set[tuple[str, UnitSpec]] = set()
    for spec in specs:
        for block in blocks_of(spec.backbone, spec.geometry):
            unit = spec.unit.at(block.stage)
            stands = unit.stands_at(block.index, block.depth)
            if not stands or (block.digest, unit) in seen:
                continue
            seen.add((block.digest, unit))
            for key, term in block.units_to_measure(unit).items():
                if key not in found:
                    alone = spec.model_copy(update={"unit": _only_in(block, term)})
                    found[key] = Benchmark(key, alone, block.path, block.shape)
    return list(found.values())


def write_suite(
    folder: Path,
    benchmarks: Sequence[Benchmark],
    target: str,
    precision: Precision,
    *,
    workers: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Export ``benchmarks`` into ``folder``, and copy the programs that measure them there.

    The file suite.json is written last. A folder without it is unfinished; a second call completes it.

    Args:
        folder: A new folder, or one with an unfinished suite.
        benchmarks: The result of ``benchmarks_of``.
        target: Name in TARGETS.
        precision: fp32 or int8.
        workers: Number of processes that export; default 1.
        progress: Called with the number of finished benchmarks.

    Raises:
        InvalidInput: The folder is a finished suite or holds something else, the target is unknown, or a
            package of it is missing.
        WorkFailed: A benchmark could not be exported.
    """
    TARGETS.check(target)
    if target not in OF_NETWORKS:
        raise InvalidInput(f"target {target}: has no suite; allowed: {', '.join(OF_NETWORKS)}")
    TARGETS[target].check_installed(target)
    _check_free(folder, benchmarks)
    folder.mkdir(parents=True, exist_ok=True)
    with _only_writer(folder):
        _check_same(folder, target, precision)
        _export_all(folder, benchmarks, target, precision, workers, progress)
        for program in BENCH:
            shutil.copyfile(SHIPPED / program, folder / program)
        suite = {
            "format": SUITE_FORMAT,
            "target": target,
            "precision": precision,
            "versions": {name: version(name) for name in ("sknas", *TARGETS[target].packages)},
            "benchmarks": [_read_entry(folder / benchmark.folder) for benchmark in benchmarks],
        }
        write_text(folder / SUITE, json.dumps(suite, indent=1) + "\n")
        (folder / UNFINISHED).unlink(missing_ok=True)


def _check_free(folder: Path, benchmarks: Sequence[Benchmark]) -> None:
    check_folders_above(folder / SUITE)
    _check_unfinished(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / UNFINISHED).is_file():
        raise InvalidInput(f"{folder}: holds something else; allowed: a new folder")
    if not benchmarks:
        raise InvalidInput("no networks to make a suite for")


def _check_unfinished(folder: Path) -> None:
    if any((folder / name).exists() for name in (SUITE, OLD_SUITE)):
        raise InvalidInput(
            f"{folder}: holds a finished suite; allowed: measure it, remove it, or another --out"
        )


def _check_same(folder: Path, target: str, precision: str) -> None:
    """Raise InvalidInput when the folder was begun for another runtime or precision."""
    for path in _entries(folder):
        begun = _read_entry(path.parent)
        if (begun["target"], begun["precision"]) != (target, precision):
            raise InvalidInput(
                f"{folder}: begun for {begun['target']}-{begun['precision']}; allowed: remove it, or "
                "another --out"
            )
        return


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Lock the unfinished suite, and remove the partial folders of an ended process."""
    try:
        with FileLock(folder / UNFINISHED, timeout=0):
            _check_unfinished(folder)  # another process may have finished it just now
            for leftover in folder.glob(f"{PARTIAL}*"):
                shutil.rmtree(leftover)
            yield
    except Timeout:
        raise InvalidInput(f"{folder}: another process is writing this suite") from None


def _export_all(
    folder: Path,
    benchmarks: Sequence[Benchmark],
    target: str,
    precision: Precision,
    workers: int,
    progress: Callable[[int], None],
) -> None:
    missing = [benchmark for benchmark in benchmarks if not (folder / benchmark.folder).is_dir()]
    # Spawned: a forked process inherits the locks of threads that it does not have.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _begin_worker) as pool:
        with block_sigint(), without_main():
            exports = [
                pool.submit(export_benchmark, folder, one, target, precision) for one in missing
            ]
        try:
            for count, export in enumerate(
                as_completed(exports), len(benchmarks) - len(missing) + 1
            ):
                export.result()
                progress(count)
        except (InvalidInput, KeyboardInterrupt):
            raise
        except Exception as error:  # a converter may raise anything; a process may be killed
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise WorkFailed(f"{target}: a benchmark could not be exported ({reason})") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Use one thread, and end when the parent ends: the pool's pipes do not report that."""
    torch.set_num_threads(1)
    end_with_parent()


def export_benchmark(folder: Path, benchmark: Benchmark, target: str, precision: Precision) -> None:
    """Write one benchmark into its folder; the folder appears complete or not at all."""
    chosen = TARGETS[target]
    assert chosen.write is not None
    assert chosen.quantize is not None
    module = fuse(build(benchmark.spec), chosen.form)
    if benchmark.path:
        module = block_in(module, benchmark.path)
    home = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder))
    try:
        home.chmod(0o755)
        written = chosen.write(module, torch.zeros(benchmark.shape), home)
        if precision == "int8":
            images = torch.randn(CALIBRATION, *benchmark.shape[1:])
            quantized = chosen.quantize(module, Quantization(images), home)
            for file in written.files:
                file.unlink()
            written = quantized
        (home / ENTRY).write_text(
            json.dumps(_entry(benchmark, target, precision, written.files)), encoding="utf-8"
        )
        home.rename(folder / benchmark.folder)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _entry(
    benchmark: Benchmark, target: str, precision: str, files: Sequence[Path]
) -> dict[str, Any]:
    """The entry of a benchmark in suite.json."""
    return {
        "key": benchmark.key,
        "arch": None if benchmark.path else benchmark.spec.model_dump(mode="json"),
        "shape": benchmark.shape,
        "target": target,
        "precision": precision,
        "folder": benchmark.folder,
        "files": [
            {"name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            for file in files
        ],
    }


def _entries(folder: Path) -> Iterator[Path]:
    """The entry file of every finished benchmark in ``folder``."""
    for name in (ENTRY, OLD_ENTRY):
        yield from folder.glob(f"*/{name}")


def _read_entry(home: Path) -> Any:
    path = home / ENTRY
    path = path if path.exists() else home / OLD_ENTRY
    return json.loads(path.read_text(encoding="utf-8"))


def _input(spec: ArchSpec) -> tuple[int, ...]:
    return (1, spec.in_channels, spec.input_size, spec.input_size)


def _only_in(block: Block, unit: UnitSpec) -> UnitSpec:
    """``unit`` in one block; it may not fit other blocks."""
    fields = unit.model_dump(exclude={"stages"}) | {"blocks": (block.index,)}
    override = UnitOverride.model_validate(fields)
    return NO_UNIT.model_copy(update={"stages": ((block.stage, override),)})
