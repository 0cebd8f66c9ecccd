"""What is done next with a bundle: commands that work for this one."""

from __future__ import annotations

import shlex
from pathlib import Path

from nas.exporting.examples import EXAMPLES
from nas.exporting.manifest import Manifest
from nas.exporting.replacing import CARD


def next_steps(manifest: Manifest, bundle: Path) -> list[str]:
    """A line for each kind of device that the bundle has files for."""
    found = {one.target: bundle / one.files[0].name for one in manifest.artifacts}
    commands = []
    if any(one.is_timed for one in manifest.artifacts):
        commands.append(f"nas bench {_quoted(bundle)}")
    if any(one.runs_here for one in manifest.artifacts):
        commands.append(f"python {_quoted(bundle / 'predict.py')} IMAGE")
    lines = ["; ".join(commands)] if commands else []
    if "tflm" in found:
        program = bundle / EXAMPLES / "microcontroller" / "main.cc"
        lines.append(f"compile {found['tflm'].with_name('model_data.cc')} and {program}")
    if "ethos_u" in found:
        card = bundle / CARD
        lines.append(f"load {found['ethos_u']} on the chip; {card} says what it takes and gives")
    if "coreml" in found:
        lines.append(f"unzip {_quoted(found['coreml'])}; add model.mlpackage to an Xcode project")
    return lines


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
