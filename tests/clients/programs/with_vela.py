"""Arm's compiler for Ethos-U: how many operators it leaves to the processor."""

import json
import re
import subprocess
import sys
import tempfile

VELA = "import sys; from ethosu.vela.vela import main; sys.exit(main())"
with tempfile.TemporaryDirectory() as folder:
    said = subprocess.run(
        [sys.executable, "-c", VELA, sys.argv[1], "--output-dir", folder,
         "--accelerator-config", "ethos-u55-128"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
counts = dict(re.findall(r"(CPU|NPU) operators = (\d+)", said.stdout))
if said.returncode or len(counts) != 2:
    sys.exit((said.stderr + said.stdout).strip().splitlines()[-1])
print(json.dumps({kind.lower(): int(count) for kind, count in counts.items()}))
