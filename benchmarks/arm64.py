"""A bundle's networks on a 64-bit ARM processor, emulated: the same outputs as here?

Claim: what nas export writes gives on ARM, by the runtime's own package for it, the logits that it gives
here. QEMU's user mode runs Debian's ARM build of Python, with numpy and the runtimes as their projects
publish them for ARM, and the bundle's own runtime.py. The time of an emulated processor is no latency,
and none is printed.

Everything comes from Debian's and Python's registries into one folder and leaves the system as it
is: needs apt-get and dpkg-deb (any Debian or Ubuntu on x86), no rights of the administrator. Where they
are missing the script says so and ends with 0.

Of the page: n = 50 images and 6 networks; an emulated processor on an AMD EPYC.

    python benchmarks/arm64.py BUNDLE [--networks ncnn,litert] [--images 50] [--json] [--write]

With --write, docs/results/arm64/ gets rows.csv and machine.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, write_machine
from rows import write_rows

from nas.data import load_data
from nas.exporting import Manifest
from nas.exporting.evaluate import held_out, load

OUT = Path("docs/results/arm64")
FILES = Path.home() / ".cache" / "sknas" / "arm64"
PYTHON = "3.11"
DEBIAN = [
    "libc6", "libgcc-s1", "libstdc++6", "libgomp1", "zlib1g", "libexpat1", "libffi8", "libbz2-1.0",
    "liblzma5", f"libpython{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", f"python{PYTHON}-minimal",
]  # fmt: skip
WHEELS = {
    "ncnn": ["ncnn"],
    "onnx": ["onnxruntime", "flatbuffers", "protobuf", "packaging"],
    "litert": ["ai-edge-litert", "flatbuffers", "backports.strenum", "tqdm", "typing_extensions"],
}
"""Of each runtime its packages; numpy comes with all."""
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
PROGRAM = """
import platform, sys, numpy
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from runtime import artifacts_of
(artifact,) = artifacts_of(Path(sys.argv[1]), sys.argv[2])
run = artifact.open()
logits = [run(image[None]) for image in numpy.load(sys.argv[3])]
numpy.save(sys.argv[4], numpy.concatenate(logits))
print(platform.machine())
"""
MINUTES = 20


@dataclass(frozen=True)
class Row:
    """One network: ARM against this machine; ``problem`` where it did not run."""

    network: str
    package: str
    architecture: str
    images: int
    max_difference: float | None
    same_class: float | None
    problem: str


def run(*words: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """A command, its output kept; it may fail."""
    command = [str(word) for word in words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60 * MINUTES, **more
    )


def must(*words: str | Path, **more: Any) -> None:
    """A command that may not fail."""
    answer = run(*words, **more)
    if answer.returncode:
        last = (answer.stderr or answer.stdout).strip().splitlines()[-1:]
        raise SystemExit(f"{words[0]}: {' '.join(last)}")


def fetch_debian(files: Path) -> None:
    """ARM's libraries and Python into ``root``, the emulator into ``qemu``."""
    if (files / "root" / "usr" / "bin" / f"python{PYTHON}").exists():
        return
    packages = files / "packages"
    for folder in ("state/lists/partial", "cache/archives/partial", "packages"):
        (files / folder).mkdir(parents=True, exist_ok=True)
    (files / "state" / "status").touch()
    # A package index of its own, so that the system's stays as it is.
    own = [f"-oDir::State={files / 'state'}", f"-oDir::State::status={files / 'state' / 'status'}"]
    own += [f"-oDir::Cache={files / 'cache'}"]
    own += ["-oAPT::Architecture=arm64", "-oAPT::Architectures::=arm64"]
    must("apt-get", "-qq", *own, "update")
    must("apt-get", "-qq", *own, "download", *DEBIAN, cwd=packages)
    must("apt-get", "-qq", "download", "qemu-user-static", cwd=packages)
    for package in sorted(packages.glob("*.deb")):
        arm = package.name.endswith("_arm64.deb")
        must("dpkg-deb", "-x", package, files / ("root" if arm else "qemu"))


def fetch_wheels(target: str, files: Path) -> Path:
    """The runtime's packages for ARM, unpacked: the folder to import from."""
    site = files / f"site-{target}"
    if site.is_dir():
        return site
    wheels = files / f"wheels-{target}"
    wanted = [f"{name}=={version(name)}" for name in ("numpy", *WHEELS[target])]
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    must(
        sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:",
        *platforms, "--python-version", PYTHON, "-d", wheels, *wanted,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(dir=files) as folder:
        for wheel in wheels.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(folder)
        shutil.copytree(folder, site)
    return site


def on_arm(bundle: Path, network: str, target: str, images: Path, files: Path) -> tuple[str, Path]:
    """What went wrong, or nothing, and the file of logits."""
    logits = images.with_name(f"{network}.npy")
    root = files / "root"
    home = {"PYTHONHOME": str(root / "usr"), "PYTHONPATH": str(fetch_wheels(target, files))}
    emulator = files / "qemu" / "usr" / "bin" / "qemu-aarch64-static"
    python = root / "usr" / "bin" / f"python{PYTHON}"
    answer = run(
        emulator, "-L", root, python, "-c", PROGRAM, bundle, network, images, logits,
        env={**os.environ, **home, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    if answer.returncode == 0 and answer.stdout.strip() == "aarch64":
        return "", logits
    last = (answer.stderr or answer.stdout).strip().splitlines()[-1:]
    return f"exit {answer.returncode} {' '.join(last)}"[:120], logits


def main() -> int:
    """Fetch, run here and there, compare; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--networks", default="ncnn", help="runtimes, such as ncnn,litert")
    parser.add_argument("--images", type=int, default=50, help="held-out images")
    parser.add_argument("--files", type=Path, default=FILES, help=f"default {FILES}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help=f"into {OUT}")
    options = parser.parse_args()
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        print("skipped: apt-get and dpkg-deb are needed, which this system does not have")
        return 0
    bundle, files = options.bundle.resolve(), options.files.resolve()
    manifest = Manifest.model_validate_json((bundle / "manifest.json").read_text(encoding="utf-8"))
    files.mkdir(parents=True, exist_ok=True)
    fetch_debian(files)
    data = load_data(manifest.data)
    full = manifest.accuracy.split == "test"
    images = np.concatenate([i.contiguous() for i, _ in held_out(data, full, options.images)])
    rows = []
    wanted = options.networks.split(",")
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "images.npy", images)
        for artifact in manifest.artifacts:
            if artifact.target not in wanted:
                continue
            here = load(artifact.target, bundle / artifact.files[0].name)
            expected = np.concatenate([here(image[None]) for image in images])
            where = Path(folder) / "images.npy"
            problem, logits = on_arm(bundle, artifact.name, artifact.target, where, files)
            there = None if problem else np.load(logits, allow_pickle=False)  # noqa: TID251
            package = WHEELS[artifact.target][0]
            rows.append(
                Row(
                    network=artifact.name,
                    package=f"{package} {version(package)}",
                    architecture="aarch64, emulated",
                    images=len(images),
                    max_difference=None if there is None else float(np.abs(there - expected).max()),
                    same_class=None
                    if there is None
                    else float((there.argmax(1) == expected.argmax(1)).mean()),
                    problem=problem,
                )
            )
            print(rows[-1], file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps({"rows": [*map(asdict, rows)], "machine": asdict(machine())}))
    else:
        for row in rows:
            said = (
                row.problem
                or f"max. difference {row.max_difference:.1e}, same class {row.same_class:.1%}"
            )
            print(f"{row.network:<16}{row.images} images  {said}")
    if options.write:
        write_rows(OUT / "rows.csv", rows)
        write_machine(OUT, {**asdict(machine()), "key": manifest.key})
    return 1 if any(row.problem for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
