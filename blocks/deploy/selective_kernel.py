"""An SK unit for inference, with folded BatchNorms and select matrices and few operations."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from blocks.deploy.conv_norm import fold, is_plain
from blocks.deploy.form import Form
from blocks.errors import InvalidInput
from blocks.units.selection import select, sum_of, sum_of_means
from blocks.units.selective_kernel import SelectiveKernel


class FusedSelectiveKernel(nn.Module):
    """A SelectiveKernel in evaluation mode (SKNet, Sec. 3.1) with folded weights.

    With two branches, one matrix (the difference of the two select matrices) gives the attention of the
    second branch as a sigmoid, and the unit is ``y0 + a (y1 - y0)``, without a softmax. With more
    branches, the rows of the select matrices have the order (C, M), so that the softmax runs over the
    last axis.

    In PyTorch every map costs time, so the means of the branches are summed. In other runtimes every
    operator costs time, so the branches are summed before the mean.

    Shapes:
        input (B, C, H, W) -> output (B, C, ceil(H / stride), ceil(W / stride)), as the SelectiveKernel.

    Args:
        unit: The unit with the weights to fold; it is not changed.
        form: The kind of runtime.

    Raises:
        InvalidInput: The unit has other layers, hooks or methods than a SelectiveKernel.
    """

    def __init__(self, unit: SelectiveKernel, form: Form = "pytorch") -> None:
        super().__init__()
        _check_layout(unit)
        self.form = form
        self.branches = nn.ModuleList(_fold_branch(branch) for branch in unit.branches)
        self.attends = unit.attends
        if not unit.attends:
            return
        self.fuse = nn.Sequential(fold(unit.fuse[0], unit.fuse[1]), nn.ReLU(inplace=True))
        self.select = _pointwise(_fold_select(unit))

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """The convolution of each branch."""
        convs = [next(branch.children()) for branch in self.branches]
        return [conv for conv in convs if isinstance(conv, nn.Conv2d)]

    def forward(self, x: Tensor) -> Tensor:
        """Apply the unit to ``x`` (B, C, H, W)."""
        maps: list[Tensor] = [branch(x) for branch in self.branches]
        if not self.attends:
            return sum_of(maps)
        if self.form == "pytorch":
            return select(maps, self.attend(sum_of_means(maps)), overwrite=True)
        weights = self.attend(self._squeeze(sum_of(maps)))
        if len(maps) == 2:
            return maps[0] + weights[1] * (maps[1] - maps[0])
        return sum_of([branch * weight for branch, weight in zip(maps, weights, strict=True)])

    def _squeeze(self, summed: Tensor) -> Tensor:
        """The mean of each channel, (B, C, 1, 1)."""
        if self.form == "graph":
            # Maps of one channel count as channels last; PyTorch then decomposes the pooling into a mean
            # and an as_strided, which becomes a Gather that OpenCV cannot read.
            return summed.mean((2, 3), keepdim=True)
        return functional.adaptive_avg_pool2d(summed, 1)

    def attend(self, squeezed: Tensor) -> tuple[Tensor, ...]:
        """Weights of the branches, M tensors (B, C, 1, 1), from ``squeezed`` (B, C, 1, 1)."""
        count, (batch, channels) = len(self.branches), squeezed.shape[:2]
        logits = self._logits(squeezed)
        if count == 2:
            second = torch.sigmoid(logits)
            if second.ndim == 2:
                second = second.view(batch, channels, 1, 1)
            return 1 - second, second
        weights = logits.view(batch, channels, count).softmax(-1)
        # Every runtime supports slices; unbind and select are less common.
        return tuple(weights[:, :, m : m + 1].unsqueeze(-1) for m in range(count))

    def _logits(self, squeezed: Tensor) -> Tensor:
        """Logits, (B, C) or (B, C * M); convolutions give two further axes of size 1."""
        if self.form in ("graph", "channels_last"):
            # Convolutions avoid a further kind of operator and a change of shape.
            logits: Tensor = self.select(self.fuse(squeezed))
            return logits
        # ncnn fuses activations into linear layers; PyTorch's have less overhead.
        down = self.fuse[0]
        assert isinstance(down, nn.Conv2d)
        hidden = functional.linear(squeezed.flatten(1), down.weight.flatten(1), down.bias).relu()
        return functional.linear(hidden, self.select.weight.flatten(1))


def _check_layout(unit: SelectiveKernel) -> None:
    """Raise InvalidInput for a unit with other layers, hooks or methods than a SelectiveKernel's own."""
    changed = ""
    if type(unit).attend is not SelectiveKernel.attend:
        changed = "attend"
    elif unit.attends and [type(unit.fuse[0]), type(unit.fuse[-1])] != [nn.Conv2d, nn.ReLU]:
        changed = "fuse"
    elif unit.attends and (type(unit.select) is not nn.Conv2d or unit.select.bias is not None):
        changed = "select"
    else:
        for path, module in unit.named_modules():
            if not is_plain(module):
                changed = path
    if changed:
        raise InvalidInput(
            f"{type(unit).__name__}.{changed}: changed or hooked; allowed: as in SelectiveKernel"
        )


def _fold_branch(branch: nn.Module) -> nn.Sequential:
    """(convolution, BatchNorm[, activation]) as (convolution with bias[, activation])."""
    conv, norm, *act = branch.children()
    folded = fold(conv, norm)
    plain = nn.Conv2d(
        folded.in_channels, folded.out_channels, folded.kernel_size, folded.stride, folded.padding,  # type: ignore[arg-type]
        folded.dilation, folded.groups, padding_mode=folded.padding_mode,  # type: ignore[arg-type]
    )  # fmt: skip
    plain.weight, plain.bias = folded.weight, folded.bias
    return nn.Sequential(plain, *act)


def _fold_select(unit: SelectiveKernel) -> Tensor:
    """The select matrices as one.

    (C, d) for two branches, else (C * M, d) with the rows of a channel next to each other.
    """
    weight = unit.select.weight.detach().flatten(1)
    count, hidden = len(unit.branches), weight.shape[1]
    channels = unit.branches[0][0].out_channels  # type: ignore[index]
    rows = weight.view(-1, channels, hidden)
    if len(rows) < count:
        rows = torch.cat((torch.zeros_like(rows[:1]), rows))
    if count == 2:
        return rows[1] - rows[0]
    return rows.transpose(0, 1).reshape(channels * count, hidden)


def _pointwise(matrix: Tensor) -> nn.Conv2d:
    """A 1x1 convolution without bias."""
    rows, columns = matrix.shape
    conv = nn.Conv2d(columns, rows, 1, bias=False)
    conv.weight = nn.Parameter(matrix[:, :, None, None].contiguous())
    return conv
