"""Runs one probe in its own process: ``python -m nas.doctor.probe WHAT ASKED ANSWER``.

The answer file holds the result as JSON, or a one-line error. Slow imports are inside the functions that
need them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def run_runtime(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Import ``module``, export a tiny network for the runtime ``target``, run it and compare."""
    if find_spec(asked["module"]) is not None:  # otherwise the target reports what to install
        import_module(asked["module"])
    import torch

    from blocks import ArchSpec, build
    from blocks.deploy import fuse
    from nas.exporting import TARGETS
    from nas.exporting.evaluate import Outcome, load

    name = asked["target"]
    target = TARGETS[name]
    target.check_installed(name)
    spec = ArchSpec(
        backbone="shufflenet_v2", width=0.5, num_classes=10, in_channels=1, input_size=16,
        stem_stride=2,
    )  # fmt: skip
    torch.manual_seed(0)
    model = build(spec)
    with torch.no_grad():
        for _ in range(
            20
        ):  # BatchNorms as after a training, so that the outputs are not close to zero
            model(torch.randn(32, 1, 16, 16))
    model.eval()
    image = torch.randn(1, 1, 16, 16)
    with tempfile.TemporaryDirectory(prefix="nas-") as folder, torch.inference_mode(False):
        assert target.write is not None
        written = target.write(fuse(model, target.form), image, Path(folder))
        run = load(name, written.files[0])
        began = time.perf_counter()
        logits = run(image.numpy())
        milliseconds = 1000 * (time.perf_counter() - began)
    with torch.inference_mode():
        expected = model(image).numpy()
    outcome = Outcome()
    outcome.add(logits, expected, expected.argmax(1))
    if not outcome.difference <= 1e-3 * outcome.largest:
        raise ValueError(f"its outputs differ from PyTorch's by {outcome.difference:.3g}")
    return {
        "difference": outcome.difference,
        "largest": outcome.largest,
        "milliseconds": milliseconds,
    }


def run_chip(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Give a network without training to TensorFlow Lite Micro, or to the compiler of a chip."""
    from blocks import ArchSpec
    from nas.cost.microcontroller.memory import graph_of
    from nas.cost.microcontroller.untrained import untrained_file
    from nas.cost.microcontroller.vela import compile_file, start_vela
    from nas.exporting import TARGETS
    from nas.exporting.targets.tflm import measured_arena

    name = asked["target"]
    target = TARGETS[name]
    target.check_installed(name)
    spec = ArchSpec(
        backbone="mobilenet_v2", width=0.1, num_classes=10, in_channels=1, input_size=16,
        stem_stride=2,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="nas-") as folder:
        file = Path(folder) / "model.tflite"
        if not target.accelerators:
            file.write_bytes(untrained_file(graph_of(spec)))
            head, tail = measured_arena(file)
            return {"done": f"runs a network in {head + tail:,} bytes of memory"}
        accelerator = target.accelerators[0]
        start_vela()
        file.write_bytes(untrained_file(graph_of(spec)))
        compile_file(file, accelerator, Path(folder) / "out")
        return {"done": f"compiles a network for {accelerator}"}


def run_training(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Time the training of networks on a few batches; see ``nas.doctor.pace``."""
    from nas.doctor.course import Course
    from nas.doctor.pace import measure

    return measure(Course.model_validate(asked)).model_dump(mode="json")


PROBES: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "runtime": run_runtime,
    "chip": run_chip,
    "training": run_training,
}


def main(what: str, asked: str, answer: Path) -> int:
    """Run the probe; return the exit code."""
    try:
        found = PROBES[what](json.loads(asked))
    except Exception as error:  # any error of a runtime is a result of the probe
        line = " ".join(str(error).split()) or "no reason given"
        kind = "" if type(error).__name__ == "InvalidInput" else f"{type(error).__name__}: "
        found = {"failed": f"{kind}{line}"[:300]}
    answer.write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    sys.stdout.flush()
    # At once: the result is written, and some runtimes crash at exit.
    os._exit(code)
