"""Writes a latency benchmark suite: measured once, it predicts every network of a space."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import wait
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
from nas.export.bundle import BENCH, SHIPPED
from nas.export.shipped.runtime import SUITE, SUITE_FORMAT
from nas.export.targets import TARGETS, Precision, Quantization
from nas.plugins import without_main
from nas.runs import check_folders_above, write_text
from nas.training.fork_server import block_sigint

WHOLE = 20
"""Networks that are measured whole, to calibrate the sum of the benchmarks."""
CALIBRATION = 4
"""Random images to quantize an int8 benchmark with: its latency does not depend on their values."""

UNFINISHED, ENTRY, HALF = ".unfinished", "benchmark.json", ".half-"


@dataclass(frozen=True)
class Benchmark:
    """What is exported and measured on its own.

    Attributes:
        key: Canonical: of the network, or the name of the block with its unit.
        spec: A network that it is, or is a part of.
        path: Of the block in the network; empty for the whole.
        shape: Of its input, (1, C, H, W).
    """

    key: str
    spec: ArchSpec
    path: str
    shape: tuple[int, ...]

    @property
    def folder(self) -> str:
        """In the suite."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:16]


def benchmarks_of(specs: Iterable[ArchSpec], seed: int, whole: int = WHOLE) -> list[Benchmark]:
    """Everything that has to be measured for the networks ``specs``.

    Args:
        specs: All of a space, or a large sample.
        seed: Of the choice of networks that are measured whole.
        whole: So many of them, beside the plain networks.
    """
    specs = list(specs)
    chosen = random.Random(seed).sample(specs, min(whole, len(specs)))
    # Two networks of one geometry share their plain network: a look-up is faster than a key.
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
            for key, latency_term in block.benchmarks(unit).items():
                if key not in found:
                    alone = spec.model_copy(update={"unit": _only_in(block, latency_term)})
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
    """Export ``benchmarks`` into ``folder``, with the programs that measure them.

    The file suite.json comes last: without it the folder is not finished, and a second call goes on.

    Args:
        folder: New, or one of an unfinished suite.
        benchmarks: Of ``benchmarks_of``.
        target: Name in TARGETS.
        precision: fp32 or int8.
        workers: Processes that export.
        progress: Called with the number of benchmarks that are there.

    Raises:
        InvalidInput: The folder is a finished suite or holds something else, the target is unknown, or a
            package of it is missing.
        WorkFailed: A benchmark could not be exported.
    """
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
            "benchmarks": [
                _read_entry(folder / benchmark.folder / ENTRY) for benchmark in benchmarks
            ],
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
    if (folder / SUITE).exists():
        raise InvalidInput(
            f"{folder}: a suite is there; measure it, remove it, or name another --out"
        )


def _check_same(folder: Path, target: str, precision: str) -> None:
    """Refuse to go on with what was begun for another runtime."""
    for path in folder.glob(f"*/{ENTRY}"):
        begun = _read_entry(path)
        if (begun["target"], begun["precision"]) != (target, precision):
            raise InvalidInput(
                f"{folder}: begun for {begun['target']}-{begun['precision']}; remove it, or name "
                "another --out"
            )
        return


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Hold the unfinished suite, cleared of what an ended process was in the midst of."""
    try:
        with FileLock(folder / UNFINISHED, timeout=0):
            _check_unfinished(folder)  # another process may have ended with it just now
            for leftover in folder.glob(f"{HALF}*"):
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
    # Spawned: a fork would inherit the locks of threads that it does not have.
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
        except Exception as error:  # of whatever kind a converter raises, or a killed process
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise WorkFailed(f"{target}: a benchmark could not be exported ({reason})") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """One thread, and an end with the parent, however that ends: the pool's pipes do not tell."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def export_benchmark(folder: Path, benchmark: Benchmark, target: str, precision: Precision) -> None:
    """Write one benchmark into its folder, which appears whole or not at all."""
    chosen = TARGETS[target]
    module = fuse(build(benchmark.spec), chosen.form)
    if benchmark.path:
        module = block_in(module, benchmark.path)
    home = Path(tempfile.mkdtemp(prefix=HALF, dir=folder))
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
    """What suite.json says of a benchmark."""
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


def _read_entry(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _input(spec: ArchSpec) -> tuple[int, ...]:
    return (1, spec.in_channels, spec.input_size, spec.input_size)


def _only_in(block: Block, unit: UnitSpec) -> UnitSpec:
    """``unit`` in one block: elsewhere it might not fit."""
    fields = unit.model_dump(exclude={"stages"}) | {"blocks": (block.index,)}
    override = UnitOverride.model_validate(fields)
    return NO_UNIT.model_copy(update={"stages": ((block.stage, override),)})
