"""``nas.check_data``: what is wrong with photographs, before anything is trained."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from blocks.errors import InvalidInput
from blocks.wording import check_not_empty, check_type
from nas.api.choosing import check_subject, chosen_checkpoint, names_file
from nas.api.default_names import run_name
from nas.data.checking.result import DataCheck
from nas.data.config import PHOTOGRAPHS, DataConfig
from nas.data.layouts.listing import ALLOWED
from nas.data.places import expanded
from nas.folders import cache_dir, given_path, make_folder, runs_dir
from nas.naming import option
from nas.plugins import end_load
from nas.runs import check_folders_above

if TYPE_CHECKING:
    from nas.data.checking.check import Checked

FOLDER = "data-check"
LEAST_SIZE = 64
"""The least input size that is suggested, however small the pictures are."""
SPACE = "efficientnet_lite0_sk"
"""The space that is suggested: it has pretrained weights for all its networks."""


def check_data(
    path: str | Path,
    *,
    group_by: str | None = None,
    splits: str | None = None,
    input_size: int | None = None,
    network: str | Path | None = None,
    out: str | Path | None = None,
) -> DataCheck:
    """Check photographs before anything is trained on them, and write a page about what is wrong.

    All photographs are decoded once, into the cache that a search reads from. Findings are no errors.

    Args:
        path: The photographs, in any layout that ``nas.search(data=...)`` takes.
        group_by: Keep photographs of one group on one side of every split, as in ``nas.search``.
        splits: A splits.csv of an earlier run.
        input_size: Pixels a side that networks are to be given. Default: 224.
        network: A run, whose knee is taken, or a checkpoint: it must know the classes. With it,
            suspected wrong labels are named.
        out: Folder to write to, outside the photographs. Default: ``runs/data-check/NAME``.

    Returns:
        The figures, the findings and the folder.

    Raises:
        InvalidInput: There are no photographs, their layout is not understood, or the network does not
            fit them.

    Examples:
        >>> import nas
        >>> nas.check_data("nowhere")
        Traceback (most recent call last):
        ...
        blocks.errors.InvalidInput: nowhere does not exist; allowed: train/ and val/ ...
    """
    end_load()
    for argument, value in (("group_by", group_by), ("splits", splits)):
        check_not_empty(option(argument), value)
    source, root = photographs_at(path)
    folder = _folder(root, source) if out is None else _outside(root, given_path("out", out))
    check_folders_above(folder / "index.html")
    checkpoint = None if network is None else _checkpoint(str(given_path("network", network)))
    config = DataConfig(
        name=f"{PHOTOGRAPHS}{source}", group_by=group_by, splits=splits, input_size=input_size
    )
    from nas.data.checking.check import check_photos
    from nas.report import write_data_check

    checked = check_photos(config)
    if checkpoint is not None:
        checked = _with_suspects(checked, checkpoint, config)
    commands = _next(checked.result, config, with_network=checkpoint is not None)
    result = replace(checked.result, commands=commands, path=folder)
    make_folder(folder, option("out"))
    write_data_check(replace(checked, result=result), folder)
    return result


def photographs_at(path: str | Path) -> tuple[str, Path]:
    """A path without ``imagefolder:``, as it was written and as it is.

    Raises:
        InvalidInput: There is nothing.
    """
    check_type("path", path, (str, Path), "a path")
    check_not_empty("path", path)
    source = str(path).removeprefix(PHOTOGRAPHS)
    root = expanded(source)
    if not root.exists():
        raise InvalidInput(f"{source} does not exist; {ALLOWED}")
    return source, root


def _folder(root: Path, source: str) -> Path:
    """The default folder; among the caches where runs/ would lie inside the photographs."""
    name = run_name(
        source if any(part not in (".", "..") for part in root.parts) else str(root.resolve())
    )
    default = runs_dir() / FOLDER / name
    return cache_dir() / FOLDER / name if _is_inside(default, root) else default


def _outside(root: Path, folder: Path) -> Path:
    if _is_inside(folder, root):
        raise InvalidInput(
            f"{option('out', str(folder))}: inside the photographs; allowed: another folder"
        )
    return folder


def _is_inside(folder: Path, root: Path) -> bool:
    return root.is_dir() and folder.resolve().is_relative_to(root.resolve())


def _checkpoint(network: str) -> Path:
    check_subject(network, None, None)
    from nas.cost import Budgets

    pick = None if names_file(network, None, None) else "knee"
    checkpoint = chosen_checkpoint(network, None, pick, Budgets())
    if not checkpoint.is_file():
        raise InvalidInput(f"{checkpoint}: no such file")
    return checkpoint


def _with_suspects(checked: Checked, checkpoint: Path, config: DataConfig) -> Checked:
    """The check with the labels that a network suspects."""
    from nas.data.checking.result import Finding
    from nas.data.image_folder import nothing_said
    from nas.evaluation import evaluate_network
    from nas.evaluation.output import reason, suspects_line
    from nas.evaluation.subjects import default_splits, photographs_subject

    with nothing_said():  # the check has it
        subject, data = photographs_subject(checkpoint, config)
    done = evaluate_network(subject, data, default_splits(subject, data, "all"))
    found = [
        Finding(kind, one.name, "", f"{one.label}; {reason(one)} ({one.image[0]})")
        for kind, some in (("suspected label", done.suspects), ("least sure", done.least_sure))
        for one in some
    ]
    notes = [one for one in done.notes if "wrong labels" in one]
    if done.judged:
        notes.insert(0, suspects_line(len(done.suspects), done.judged))
    return checked.with_suspects(found, notes)


def _next(result: DataCheck, config: DataConfig, *, with_network: bool) -> tuple[str, ...]:
    """Commands that are worth trying after a check."""
    from nas.data.image_folder import INPUT_SIZE

    if sum(one.images > 0 for one in result.classes) < 2:
        return ()
    name = run_name(result.source)
    images = ["--data", result.source]
    shared = []
    for flag, value in (("--group-by", config.group_by), ("--splits", config.splits)):
        shared += [] if value is None else [flag, value]
    search = [*images, "--space", SPACE, "--pretrained", "imagenet", *shared]
    size = config.input_size
    if size is None and result.sizes is not None:
        shorter = min(result.sizes.median)
        size = max(shorter, LEAST_SIZE) if shorter < INPUT_SIZE else None
    if size is not None:
        search += ["--input-size", str(size)]
    if result.of("unreadable"):
        search += ["--on-bad-image", "skip"]
    if result.of("imbalance"):
        search += ["--metric", "balanced_error", "--balance", "logits"]
    commands = [["nas", "search", *search, "--name", name]]
    if not with_network:
        # At the size of before, the photographs are not decoded anew.
        again = [] if config.input_size is None else ["--input-size", str(config.input_size)]
        commands.append(["nas", "data", "check", result.source, *shared, *again, "--network", name])
    return tuple(shlex.join(one) for one in commands)
