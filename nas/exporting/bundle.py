"""The deployment bundle of one network: verified artifacts and the programs that run them."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from blocks.deploy import fuse
from blocks.errors import InvalidInput
from blocks.wording import plural
from nas.cost import count, peak_activation_bytes
from nas.data import Data
from nas.errors import WorkFailed
from nas.evaluation import Predictions, Temperature, fit_temperature
from nas.exporting.evaluate import Outcome, Outcomes, evaluate, held_out, load, training_images
from nas.exporting.examples import write_examples
from nas.exporting.labels import LABELS, labels_text
from nas.exporting.making import Made, Making, make_files, reason_of
from nas.exporting.manifest import (
    Accuracy,
    Artifact,
    ClassAccuracy,
    File,
    Latency,
    Manifest,
    Missing,
    Parity,
    Preprocessing,
    Split,
)
from nas.exporting.memory_budget import budget_of, check_memory
from nas.exporting.model_card import model_card
from nas.exporting.places import SHIPPED, copy_programs
from nas.exporting.replacing import ARCH, CARD, appearing_whole, check_replaceable
from nas.exporting.shipped.device import cpu_name
from nas.exporting.shipped.runtime import MANIFEST, Loaded
from nas.exporting.steps import Say, silent
from nas.exporting.targets import TARGETS, Precision, Target, Wishes
from nas.exporting.unused import check_colours
from nas.plugins import named_by_a_run
from nas.training import Checkpoint, TestResult, load_checkpoint
from nas.training.trained_on import load_trained_on

TOLERANCE: dict[Precision, float] = {"fp32": 1e-4, "fp16": 2e-2}
"""Largest allowed difference of a logit, as a share of the largest logit; int8 has none."""
WISHES = Wishes()
BENCH_SECONDS, BENCH_TIMEOUT = 0.5, 600


def installed(targets: Sequence[str]) -> tuple[list[str], list[str]]:
    """The targets among ``targets`` that are installed, and a one-line reason for each of the others.

    Raises:
        InvalidInput: A name is no target, or no target is installed.
    """
    there, lines = [], []
    chosen = {name: TARGETS[name] for name in targets}
    for name, target in chosen.items():
        try:
            target.check_installed(name)
        except InvalidInput as missing:
            lines.append(str(missing))
        else:
            there.append(name)
    if not there:
        raise InvalidInput("; ".join(lines))
    return there, lines


def export_bundle(
    checkpoint: Path,
    bundle: Path,
    targets: Sequence[str],
    *,
    wishes: Wishes = WISHES,
    images: int | None = None,
    say: Say = silent,
) -> Manifest:
    """Export the network of ``checkpoint`` for every target, run each file, and write the bundle.

    The bundle appears complete or not at all; it replaces an earlier bundle of the same name at the end.
    Files in there that no export has written stay.

    Args:
        checkpoint: Checkpoint of a trial or of a full training.
        bundle: Folder of the bundle.
        targets: Names in TARGETS.
        wishes: What is asked of the files.
        images: Largest number of held-out images that every artifact is run on; default all.
        say: Told each step.

    Raises:
        InvalidInput: The file is no checkpoint, a target is unknown, a package of it is missing, or the
            data are missing.
        WorkFailed: Every target failed. A target that fails while others do not is in ``missing`` of the
            manifest, with its reason. A file for a microcontroller fails if it breaks the memory budget
            of its search.
    """
    chosen = {name: TARGETS[name] for name in targets}
    for name, target in chosen.items():
        target.check_installed(name)
    check_replaceable(bundle)
    budget = budget_of(checkpoint)
    loaded = load_checkpoint(checkpoint)
    check_colours(wishes, loaded.info.spec.in_channels)
    # Without processes that read images: a converter may have started JAX, which must not be forked.
    images_of = loaded.info.data.model_copy(update={"workers": 0})
    with named_by_a_run():
        data = load_trained_on(checkpoint, loaded.info.model_copy(update={"data": images_of}))
    with appearing_whole(bundle) as folder:
        making = make_files(loaded, data, chosen, wishes, folder, say)
        check_memory(making, budget, wishes, loaded.info.spec)
        say(f"accuracy of {plural(len(making.made), 'network')} on held-out images")
        outcomes, runs = _run(making, loaded, data, images)
        if not making.made:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in making.failed.items())
            raise WorkFailed(f"nothing was exported; {reasons}")
        say("memory and figures of the network")
        manifest = _manifest(loaded, data, checkpoint, chosen, making, outcomes, runs)
        (folder / ARCH).write_text(loaded.info.spec.to_yaml(), encoding="utf-8")
        (folder / LABELS).write_text(labels_text(manifest.class_names), encoding="utf-8")
        copy_programs(folder)
        write_examples(manifest.model_dump(mode="json"), folder)
        _save(manifest, folder)
        say("latency")
        manifest = _with_latencies(manifest, folder)
        _save(manifest, folder)
        card = model_card(manifest)
        (folder / CARD).write_text(card, encoding="utf-8")
    return manifest


def _run(
    making: Making, loaded: Checkpoint, data: Data, images: int | None
) -> tuple[Outcomes, dict[str, Loaded]]:
    """Run every file on the same images; those that differ from PyTorch, or do not run, have failed."""
    runs: dict[str, Loaded] = {}
    for one in [one for one in making.made if TARGETS[one.target].runs_here]:
        try:
            run = load(one.target, one.written.files[0], one.pixels)
            shape = (1, data.info.in_channels, data.info.input_size, data.info.input_size)
            run(np.zeros(shape, np.float32))
            runs[one.name] = run
        except Exception as error:  # a runtime may raise anything
            making.fail(one, reason_of(error))
    outcomes = evaluate(loaded.model, runs, held_out(data, loaded.info.full, images))
    for one in list(making.made):
        outcome = outcomes.runtimes.get(one.name)
        if outcome is not None and not _is_close(outcome, one.precision):
            making.fail(
                one,
                f"the exported file differs from the network by {outcome.difference:.3g} "
                f"in a logit, over {plural(outcome.images, 'image')}",
            )
    return outcomes, runs


def _is_close(outcome: Outcome, precision: Precision) -> bool:
    """Whether the difference is within TOLERANCE; NaN is not."""
    most = TOLERANCE.get(precision)
    return most is None or outcome.difference <= most * max(1.0, outcome.largest)


def _artifact(
    made: Made, outcome: Outcome | None, accuracy: Accuracy, run: Loaded | None
) -> Artifact:
    written = made.written
    given, taken = (run.input, run.output) if run else written.ports or (None, None)
    return Artifact(
        target=made.target,
        precision=made.precision,
        files=tuple(_file(path) for path in written.files),
        parity=None
        if outcome is None
        else Parity(
            images=outcome.images,
            max_abs_difference=outcome.difference,
            top1_agreement=outcome.agreeing / outcome.images,
        ),
        accuracy=None
        if outcome is None
        else accuracy.model_copy(update={"top1": outcome.accuracy}),
        latency=None,
        float_layers=made.float_layers,
        undelegated=written.undelegated,
        input=given,
        output=taken,
        pixels=made.pixels,
        arena=written.arena,
        npu=written.npu,
    )


def _file(path: Path) -> File:
    content = path.read_bytes()
    return File(name=path.name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _manifest(
    loaded: Checkpoint,
    data: Data,
    checkpoint: Path,
    chosen: Mapping[str, Target],
    making: Making,
    outcomes: Outcomes,
    runs: Mapping[str, Loaded],
) -> Manifest:
    info, spec, about = loaded.info, loaded.info.spec, data.info
    counts, pytorch = count(spec), outcomes.pytorch
    split: Split = "test" if info.full else "val"
    accuracy = Accuracy(split=split, images=pytorch.images, top1=pytorch.accuracy)
    predictions = outcomes.predictions(about.class_names, split)
    example, _ = training_images(data, info.seed, 1)
    packages = {"torch", "sknas", *(p for target in chosen.values() for p in target.packages)}
    return Manifest(
        key=spec.key,
        spec=spec,
        params=counts.params,
        mflops=counts.mflops,
        activations=counts.activations,
        peak_activation_bytes=peak_activation_bytes(fuse(loaded.model, "graph"), example),
        class_names=info.class_names or about.class_names,
        labels=LABELS,
        preprocessing=Preprocessing(
            channels=about.in_channels,
            size=about.input_size,
            resize=about.resize or about.input_size,
            read_side=about.read_side,
            mean=about.mean,
            std=about.std,
        ),
        data=info.data,
        seed=info.seed,
        epochs=len(info.history),
        # Of another metric it is no share of images.
        val_error=info.history[-1].val_error
        if info.history and info.recipe.metric == "error"
        else None,
        test_error=_test_error(checkpoint) if info.full else None,
        pretrained=info.origin,
        accuracy=accuracy,
        classes=_classes(predictions),
        temperature=_temperature(predictions, split),
        machine=f"{cpu_name()}, {platform.machine()}",
        versions={package: version(package) for package in sorted(packages)},
        artifacts=tuple(
            _artifact(one, outcomes.runtimes.get(one.name), accuracy, runs.get(one.name))
            for one in making.made
        ),
        missing=tuple(Missing(target=name, reason=why) for name, why in making.failed.items()),
    )


def _classes(predictions: Predictions) -> tuple[ClassAccuracy, ...]:
    labels, named = predictions.labels, predictions.named
    return tuple(
        ClassAccuracy(
            name=name,
            images=int((labels == index).sum()),
            right=int(((labels == index) & (named == index)).sum()),
            predicted=int((named == index).sum()),
        )
        for index, name in enumerate(predictions.class_names)
    )


def _temperature(predictions: Predictions, split: Split) -> Temperature:
    """Fitted on validation images alone: on test images it would make their figures too good."""
    if split == "test":
        return Temperature(note="the network was trained on the validation images too")
    return fit_temperature(predictions)


def _test_error(checkpoint: Path) -> float | None:
    """The error on the test set that the full training beside ``checkpoint`` wrote."""
    result = checkpoint.with_name("result.json")
    if not result.is_file():
        return None
    return TestResult.model_validate_json(result.read_text(encoding="utf-8")).test_error


def _save(manifest: Manifest, folder: Path) -> None:
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _with_latencies(manifest: Manifest, folder: Path) -> Manifest:
    """Latencies that the bundle's own program measures in a separate process."""
    if not any(one.is_timed for one in manifest.artifacts):
        return manifest
    answer: dict[str, Any] = bench(folder, ["--seconds", str(BENCH_SECONDS), "--json"])
    found = {
        one.pop("network"): Latency.model_validate(
            {name: one[name] for name in Latency.model_fields}
        )
        for one in answer["latencies"]
    }
    artifacts = tuple(
        artifact.model_copy(update={"latency": found.get(artifact.name)})
        for artifact in manifest.artifacts
    )
    return manifest.model_copy(update={"artifacts": artifacts})


def bench(folder: Path, options: Sequence[str], timeout: float = BENCH_TIMEOUT) -> Any:
    """The measurements of ``bench.py --json`` for a bundle or a latency benchmark suite.

    Raises:
        WorkFailed: The program failed.
    """
    command = [sys.executable, str(SHIPPED / "bench.py"), str(folder), *options]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    if answer.returncode:
        last = answer.stderr.strip().splitlines()[-1:]
        raise WorkFailed(f"measuring latency: {' '.join(last)}")
    return json.loads(answer.stdout)
