"""Every runtime computes what the network computes, by the runtime itself."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from blocks import ArchSpec, InvalidInput, SelectiveKernel, UnitSpec, build
from blocks.deploy import fuse
from nas.export import TARGETS
from nas.export.bundle import TOLERANCE


def network(**unit: Any) -> nn.Module:
    torch.manual_seed(0)
    spec = ArchSpec(
        backbone="shufflenet_v2",
        width=0.5,
        num_classes=10,
        in_channels=1,
        input_size=32,
        stem_stride=1,
        unit=UnitSpec.model_validate(unit),
    )
    model = build(spec)
    for name, module in model.named_modules():
        if isinstance(module, SelectiveKernel) and module.attends:
            nn.init.normal_(module.select.weight)
        # The statistics of the one batch below; but not of the squeezed vectors, which differ so little
        # between random images that normalising them turns rounding into attention.
        elif isinstance(module, nn.BatchNorm2d) and ".fuse." not in name:
            module.momentum = None
    with torch.no_grad():
        model(torch.randn(32, 1, 32, 32))
    return model.eval()


PLAIN: dict[str, Any] = {"kind": "none"}
TWO: dict[str, Any] = {}
THREE: dict[str, Any] = {"dilations": (1, 2, 3), "branch_act": False}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "unit"),
    [
        *(("onnx", unit) for unit in (PLAIN, TWO, THREE)),
        *(("ncnn", unit) for unit in (PLAIN, TWO, THREE)),
        *(("executorch", unit) for unit in (TWO, THREE)),  # half a minute each
    ],
)
def test_every_runtime_gives_the_networks_logits(
    name: str, unit: dict[str, Any], tmp_path: Path
) -> None:
    target, model = TARGETS[name], network(**unit)
    # As batches come: the strides of channels_last, which one channel alone does not show.
    images = torch.randn(4, 1, 32, 32).to(memory_format=torch.channels_last)
    assert images.stride() == (1024, 1, 32, 1)
    with torch.inference_mode():
        wanted = model(images).numpy()
    assert np.ptp(wanted, axis=0).max() > 0.1  # not the same logits for every image
    files = target.write(fuse(model, target.form), images[:1], tmp_path)
    assert sorted(files) == sorted(tmp_path.iterdir())
    run = target.load(files[0])
    got = np.concatenate([run(image[None]) for image in images.numpy()])
    # The tolerance that a bundle is held to.
    np.testing.assert_allclose(got, wanted, rtol=0, atol=TOLERANCE * max(1, np.abs(wanted).max()))


@pytest.mark.slow
def test_the_whole_network_is_one_partition_of_xnnpack() -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(fuse(network(), "graph"), (torch.randn(1, 1, 32, 32),))
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    calls = [
        str(node.target)
        for node in lowered.exported_program().graph.nodes
        if node.op == "call_function" and "getitem" not in str(node.target)
    ]
    assert calls == ["executorch_call_delegate"]


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    module = importlib.import_module("nas.export.target")
    monkeypatch.setattr(module, "version", missing)
    with pytest.raises(
        InvalidInput, match=r"target ncnn: the package ncnn is missing; pip install"
    ):
        TARGETS["ncnn"].check_installed("ncnn")
