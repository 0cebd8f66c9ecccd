"""``kind: sk``: Selective Kernel units in a network: their cost and their installation."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from torch import nn

from blocks.backbones.base import ModulePaths
from blocks.counting import Counts
from blocks.errors import InvalidInput
from blocks.profile import InsertionPoint
from blocks.unit_spec import Kernel, UnitSpec
from blocks.unit_words import words_of
from blocks.units.base import PLAIN, Resolved, Start, Unit
from blocks.units.plain_weights import compute_plain, inherit, keep_norm_settings
from blocks.units.selective_kernel import (
    SelectiveKernel,
    check_branches,
    check_group_width,
    fuse_dim,
    kernel_shape,
)
from blocks.units.surgery import replace


class SelectiveKernelUnit(Unit):
    """``kind: sk``: a SelectiveKernel in place of the spatial convolution and its BatchNorm.

    In ResNeXt a branch with the convolution's own kernel and groups, alone and without ReLU, is the
    plain block. The ReLU that follows there changes nothing behind branches that end in one.
    """

    def check(self, unit: UnitSpec, channels: int) -> None:  # noqa: D102
        check_branches(unit.dilations, unit.kernel)
        for width in unit.branch_widths(channels):
            check_group_width(channels, width)

    def check_point(self, unit: UnitSpec, point: InsertionPoint) -> None:  # noqa: D102
        if point.trimmed and unit.kernel == "real" and 0 in unit.dilations:
            raise InvalidInput(
                "dilations: 0, a 1x1 kernel, does not exist at the convolutions of stride 2 of this "
                "backbone, whose padding is uneven; allowed: 1 or more"
            )

    def words(self, unit: UnitSpec) -> list[str]:  # noqa: D102
        return words_of(unit, "sk") or []

    def resolve(self, unit: UnitSpec, point: InsertionPoint) -> Resolved:  # noqa: D102
        if point.on_shortcut and not unit.shortcut:
            return PLAIN
        branches = [
            (*kernel_shape(dilation, unit.kernel, point.kernel), width)
            for dilation, width in unit.branches(point.channels)
        ]
        if branches == [(point.kernel, 1, point.group_width)] and not unit.branch_act:
            return PLAIN
        several = len(branches) > 1
        select = unit.select if several else None
        attends = several and select != "sum"
        hidden = fuse_dim(point.channels, unit.reduction, unit.min_dim) if attends else None
        return ("sk", tuple(branches), hidden, unit.branch_act, select)

    def count(self, unit: UnitSpec, point: InsertionPoint) -> Counts:  # noqa: D102
        if point.on_shortcut and not unit.shortcut:
            return point.plain
        # One sum of plain numbers: a search counts tens of thousands of units per second.
        channels, branches = point.channels, len(unit.dilations)
        pixels = point.side * point.side
        if unit.groups:
            taps = [_taps((d,), unit.kernel, point.kernel) for d in sorted(unit.dilations)]
            widths = unit.branch_widths(channels)
            weights = channels * sum(t * w for t, w in zip(taps, widths, strict=True))
        else:
            weights = channels * unit.group_width * _taps(unit.dilations, unit.kernel, point.kernel)
        norms = 2 * channels * branches
        maps = channels * branches * pixels
        if branches == 1 or unit.select == "sum":
            return Counts(weights + norms, weights * pixels, maps)
        hidden = fuse_dim(channels, unit.reduction, unit.min_dim)
        selected = (branches - (unit.select == "reduced")) * channels
        fuse, select = channels * hidden, hidden * selected
        return Counts(
            weights + norms + fuse + 2 * hidden + select,
            weights * pixels + fuse + select,
            maps + hidden + selected,
        )

    def latency_terms(self, unit: UnitSpec) -> Counter[UnitSpec]:
        """A frame of plain branches, and one term for each field with another value.

        A plain branch is 3x3, depthwise, without ReLU. A branch adds the difference between its
        convolution and the plain one. An attention of another width adds its difference in a unit of
        two branches.
        """
        usual = UnitSpec()
        plainest = unit.model_copy(
            update={
                "dilations": (1,),
                "kernel": "dilated",
                "group_width": 1,
                "groups": (),
                "branch_act": False,
                "select": "full",
                "reduction": usual.reduction,
                "min_dim": usual.min_dim,
            }
        )
        count = len(unit.dilations)
        frame = {"dilations": (1,) * count, "branch_act": unit.branch_act, "select": unit.select}
        found = Counter({plainest.model_copy(update=frame): 1})
        found[plainest] -= count
        one_each = [(groups,) for groups in unit.groups]
        groups = one_each if len(one_each) > 1 else [unit.groups] * count
        conv = {"kernel": unit.kernel, "group_width": unit.group_width}
        for dilation, number in zip(sorted(unit.dilations), groups, strict=True):
            branch = {**conv, "dilations": (dilation,), "groups": number}
            found[plainest.model_copy(update=branch)] += 1
        if count > 1 and unit.select != "sum":
            two = plainest.model_copy(update={"dilations": (1, 1)})
            attention = {"reduction": unit.reduction, "min_dim": unit.min_dim}
            found[two.model_copy(update=attention)] += 1
            found[two] -= 1
        return Counter({one: times for one, times in found.items() if times})

    def install(  # noqa: D102
        self,
        model: nn.Module,
        paths: ModulePaths,
        unit: UnitSpec,
        point: InsertionPoint,
        start: Start,
    ) -> None:
        if self.resolve(unit, point) == PLAIN:
            return
        branches = unit.branches(point.channels)
        conv, norm = model.get_submodule(paths.conv), model.get_submodule(paths.norm)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        module = SelectiveKernel(
            point.channels,
            [dilation for dilation, _ in branches],
            kernel=unit.kernel,
            group_width=[width for _, width in branches],
            reduction=unit.reduction,
            min_dim=unit.min_dim,
            branch_act=unit.branch_act,
            stride=point.stride,
            select=unit.select,
            plain_kernel=point.kernel,
            trimmed=point.trimmed,
        )
        keep_norm_settings(module, norm)
        if start != "fresh":
            inherit(module, conv, norm)
        if start == "plain":
            compute_plain(module, unit, point)
        replace(model, paths.conv, module)
        replace(model, paths.norm, None)


@lru_cache(maxsize=4096)
def _taps(dilations: tuple[int, ...], kernel: Kernel, plain_kernel: int) -> int:
    """Weights of one channel of a depthwise kernel, all branches together."""
    return sum(kernel_shape(d, kernel, plain_kernel)[0] ** 2 for d in dilations)
