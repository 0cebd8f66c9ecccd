"""The network of each row of the tables, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blocks import ArchSpec
from nas.paper.libraries import LibraryNetwork

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Network:
    """How one row is counted.

    Attributes:
        row: Name of the row in the file of published figures.
        arch: Fields of its ArchSpec, or its name in a library; None: no implementation.
        label: Text in the table, if it is not ``row``.
        less: Row of the same table; the difference from it is shown and compared.
        flops_from: Row of the same table; the multiply-adds are compared minus those of that row.
        reason: The reason why the figures cannot be reproduced, or there is no implementation.
        note: A remark about the count.
    """

    row: str
    arch: Fields | LibraryNetwork | None = None
    label: str = ""
    less: str = ""
    flops_from: str = ""
    reason: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """Text in the table."""
        return self.label or self.row

    @property
    def spec(self) -> ArchSpec | None:
        """The ArchSpec; None if only a library, or nothing, builds the network."""
        if self.arch is None or isinstance(self.arch, LibraryNetwork):
            return None
        return ArchSpec.model_validate(self.arch)


def _arch(backbone: str, kind: str = "none", **unit: Any) -> Fields:
    return {"backbone": backbone, "unit": {"kind": kind, **unit}}


def _sk(*dilations: int, groups: tuple[int, ...] = (32,), **unit: Any) -> Fields:
    """SKNet-50 with other branches."""
    return _arch("resnext50", "sk", dilations=dilations, groups=groups, **unit)


def _bam(backbone: str) -> Fields:
    """A module at the end of each stage but the last."""
    return _arch(backbone, "bam", blocks=(-1,), stages={5: {"kind": "none"}})


NOT_BUILT = "nothing here builds it"

SENET_BIASES = "27.54M parameters, 27.56M if its fcs had biases; the printed 27.7M is above both"
SENET_101 = "48.92M parameters, 48.96M if its fcs had biases; the printed 49.2M is above both"

RESNEXT_50 = _arch("resnext50")
SENET_50 = _arch("resnext50", "se")
SKNET_50 = _sk(1, 2)

TABLE_2 = (
    Network("ResNeXt-50", RESNEXT_50),
    Network("AttentionNeXt-56", reason=NOT_BUILT),
    Network(
        "InceptionV3",
        LibraryNetwork("torchvision", "inception_v3", 299),
        note="the parameters with those of the auxiliary classifier",
    ),
    Network("ResNeXt-50 + BAM", _bam("resnext50")),
    Network(
        "ResNeXt-50 + CBAM",
        _arch("resnext50", "cbam"),
        reason="27.56M parameters, as the CBAM paper prints too; SKNet prints 27.7M, as for SENet-50",
    ),
    Network("SENet-50", SENET_50, reason=SENET_BIASES),
    Network("SKNet-50", SKNET_50),
    Network("ResNeXt-101", _arch("resnext101")),
    Network("Attention-92", reason=NOT_BUILT),
    Network("DPN-92", LibraryNetwork("timm", "dpn92")),
    Network("DPN-98", LibraryNetwork("timm", "dpn98")),
    Network(
        "InceptionV4",
        LibraryNetwork("timm", "inception_v4", 299),
        reason="the known network has 42.68M parameters; the source of the printed 42.0M is not known",
    ),
    Network(
        "Inception-ResNetV2",
        LibraryNetwork("timm", "inception_resnet_v2", 299),
        reason="the known network has 55.84M parameters; the source of the printed 55.0M is not known",
    ),
    Network("ResNeXt-101 + BAM", _bam("resnext101")),
    Network(
        "ResNeXt-101 + CBAM",
        _arch("resnext101", "cbam"),
        note="within 0.5 % by little; SKNet prints 49.2M for it as for SENet-101",
    ),
    Network("SENet-101", _arch("resnext101", "se"), reason=SENET_101),
    Network("SKNet-101", _arch("resnext101", "sk", groups=(32,))),
)


UNKNOWN_SHUFFLENET = (
    "the authors' ShuffleNetV2 is not the published one: at 1.0x it has 0.17M more parameters and 4.6M "
    "fewer multiply-adds, and no widths that were tried give both. The paper does not describe it"
)
UNKNOWN_SE = (
    "the paper says neither where SE stands nor its r; ours: r 16 at the end of each residual branch. "
    "No r and place that were tried give both printed differences"
)
UNKNOWN_SK = (
    "the paper gives no r, L or M here, nor whether the shortcuts' convolutions give way (all) or not "
    "(main only); ours: r 16, L 32, M 2. The printed multiply-adds are above those of the convolutions, "
    "as if element-wise work counted"
)


def _shufflenet(width: float, kind: str = "none", **unit: Any) -> Fields:
    return {**_arch("shufflenet_v2", kind, **unit), "width": width}


def _lightweight(width: float) -> tuple[Network, ...]:
    """The rows of one width: whole networks, and the differences that SE and SK add."""
    plain = f"ShuffleNetV2 {width}x"
    se, sk = f"{plain} + SE", f"{plain} + SK"
    forms = [
        Network(
            sk,
            _shufflenet(width, "sk", select=select, shortcut=shortcut),
            label=f"{width}x +SK {select}, {'all' if shortcut else 'main only'}",
            less=plain,
            reason=UNKNOWN_SK,
        )
        for select in ("full", "reduced")
        for shortcut in (True, False)
    ]
    return (
        Network(
            f"{plain} [27]",
            _shufflenet(width),
            note="the published ShuffleNetV2; its own paper's figures",
        ),
        Network(plain, _shufflenet(width), reason=UNKNOWN_SHUFFLENET),
        Network(se, _shufflenet(width, "se"), reason=UNKNOWN_SHUFFLENET),
        Network(sk, _shufflenet(width, "sk"), reason=UNKNOWN_SHUFFLENET),
        Network(se, _shufflenet(width, "se"), label=f"{width}x +SE", less=plain, reason=UNKNOWN_SE),
        *forms,
    )


def _cifar(classes: int) -> tuple[Network, ...]:
    image = {"input_size": 32, "stem_stride": 1, "num_classes": classes}
    narrow, wide = "resnext29_16x32d", "resnext29_8x64d"
    data = f"(C{classes})"
    sk = _arch(narrow, "sk", dilations=(0, 1), kernel="real", groups=(16,), reduction=32, min_dim=1)
    return (
        Network(f"ResNeXt-29, 16x32d {data}", {**_arch(narrow), **image}),
        Network(f"ResNeXt-29, 8x64d {data}", {**_arch(wide), **image}),
        Network(f"ResNeXt-29, 16x64d {data}", {**_arch("resnext29_16x64d"), **image}),
        Network(
            f"SENet-29 {data}",
            {**_arch(wide, "se"), **image},
            note="inferred by counting: on 8x64d. On the caption's 16x32d it is 25.7M",
        ),
        Network(
            f"SKNet-29 {data}",
            {**sk, **image},
            note="inferred by counting: kernels 1x1 and 3x3, r 32, no floor L. Two 3x3 come to 36.1M",
        ),
    )


def _mobile(year: int) -> tuple[Network, ...]:
    names = ("MobileNet 1.0 + SE", "ShuffleNet 1x g3", "ShuffleNet 1x g3 + SE")
    return (
        Network(f"MobileNet 1.0 ({year})", LibraryNetwork("timm", "mobilenetv1_100")),
        *(Network(f"{name} ({year})", reason=NOT_BUILT) for name in names),
    )


CAFFE_STRIDE = (
    "the authors stride in the first 1x1 of each stage (3.86 G), torchvision in the 3x3 (4.09 G); the "
    "other rows compare the multiply-adds that are added"
)
ADDED = (
    "diff. in FLOPs: what the row adds to ResNet-50, ours less the printed; at most 10 MFLOPs are "
    "added, so the printed 0.01 G say little and the parameters decide"
)
NL_FLOPS = (
    "its four 1x1 convolutions from or to 1024 channels at 14x14 are 0.41 G, the two products 0.04 G; "
    "the printed 0.25 G would be two of the four and the products"
)


def _one(kind: str, reason: str = "") -> Network:
    """One block after the last but one block of stage 4."""
    unit = {"kind": kind, "blocks": (-2,), "placement": "post"}
    arch = _arch("resnet50", stages={4: unit})
    return Network(f"+1 {kind.upper()}", arch, flops_from="ResNet-50", reason=reason, note=ADDED)


def _all_gc(row: str, pool: str, fusion: str) -> Network:
    """A block in each residual branch of the stages 3 to 5."""
    arch = _arch("resnet50", "gc", pool=pool, fusion=fusion, stages={2: {"kind": "none"}})
    return Network(row, arch, flops_from="ResNet-50", note=ADDED)


NETWORKS: dict[str, tuple[Network, ...]] = {
    "1": (
        Network("ResNeXt-50 (32x4d)", RESNEXT_50),
        Network("SENet-50", SENET_50, reason=SENET_BIASES),
        Network("SKNet-50", SKNET_50),
    ),
    "2": TABLE_2,
    "3": (
        Network("ResNeXt-50 (32x4d)", RESNEXT_50),
        Network("SKNet-50", SKNET_50),
        Network(
            "ResNeXt-50, wider",
            _arch("resnext50_wider"),
            note="inferred by counting: 17/16 of the channels behind the stem, 34 groups; others fit",
        ),
        Network("ResNeXt-56, deeper", _arch("resnext56")),
        Network("ResNeXt-50 (36x4d)", _arch("resnext50_36x4d")),
    ),
    "4": (*_lightweight(0.5), *_lightweight(1.0)),
    "5": (*_cifar(10), *_cifar(100)),
    "6": (
        Network("3x3, D 3, G 32", _sk(1, 3)),
        Network("3x3, D 2, G 32", _sk(1, 2)),
        Network("3x3, D 1, G 32", _sk(1, 1)),
        Network("5x5, D 1, G 64", _sk(1, 2, groups=(32, 64), kernel="real")),
        Network("7x7, D 1, G 128", _sk(1, 3, groups=(32, 128), kernel="real")),
    ),
    "7": (
        Network("K3", _sk(1)),
        Network("K5", _sk(2)),
        Network("K7", _sk(3)),
        Network("K3 + K5", _sk(1, 2, select="sum")),
        Network("K3 + K5, SK", _sk(1, 2)),
        Network("K3 + K7", _sk(1, 3, select="sum")),
        Network("K3 + K7, SK", _sk(1, 3)),
        Network("K5 + K7", _sk(2, 3, select="sum")),
        Network("K5 + K7, SK", _sk(2, 3)),
        Network("K3 + K5 + K7", _sk(1, 2, 3, select="sum")),
        Network("K3 + K5 + K7, SK", _sk(1, 2, 3)),
    ),
    "se": (
        Network("ResNet-50", _arch("resnet50")),
        *(
            Network(f"SE-ResNet-50, r {r}", _arch("resnet50", "se", reduction=r))
            for r in (2, 4, 8, 16, 32)
        ),
        *_mobile(2019),
        *_mobile(2018),
    ),
    "gc": (
        Network("ResNet-50", _arch("resnet50"), reason=CAFFE_STRIDE),
        _one("nl", NL_FLOPS),
        _one("snl"),
        _one("gc"),
        _all_gc("+all GC (att + add)", "att", "add"),
        _all_gc("avg + scale (SENet)", "avg", "scale"),
        _all_gc("avg + add", "avg", "add"),
        _all_gc("att + scale", "att", "scale"),
    ),
}
