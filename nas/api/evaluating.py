"""``nas.evaluate``: what a trained network gets wrong, and which images are the trouble."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocks.errors import InvalidInput
from blocks.wording import check_not_empty, check_type
from nas.api.choosing import check_no_bare_folder, made_from
from nas.api.references import named
from nas.folders import given_folder, given_path, make_folder
from nas.naming import option
from nas.plugins import end_load
from nas.runs import check_folders_above
from nas.training.cost_matrix import read_costs

if TYPE_CHECKING:
    from nas.evaluation import Evaluation, Figures


@dataclass(frozen=True)
class Evaluated:
    """The outcome of an evaluation, and the folder with its page.

    Attributes:
        path: Of the folder: index.html, predictions.csv and evaluation.json.
        figures: Error, confusion matrix, the figures of each class, calibration.
        document: All figures, suspected labels and duplicates, as evaluation.json has them.
        summary: What the command prints.

    Examples:
        >>> import nas
        >>> run = nas.open_run("example")
        >>> done = run.evaluate(run.pick("knee"), split="val")
        >>> done.figures.images, done.page.name
        (288, 'index.html')
    """

    path: Path
    figures: Figures
    document: dict[str, Any]
    summary: list[str]

    @property
    def page(self) -> Path:
        """The page."""
        return self.path / "index.html"


def evaluate(
    network: str | Path,
    *,
    data: str | Path | Callable[..., Any] | None = None,
    data_dir: str | Path | None = None,
    split: str | None = None,
    costs: str | Path | None = None,
    artifact: str | None = None,
    out: str | Path | None = None,
) -> Evaluated:
    """Evaluate a trained network, and write a page about its mistakes and about suspicious images.

    Args:
        network: A checkpoint, or the folder of a bundle, which runs in its own runtime.
        data: Any labelled images, given as for ``nas.search``; the network must know their classes.
            Default: those of the training.
        data_dir: Where the images are looked for.
        split: ``train``, ``val``, ``test`` or ``all``. Default: of the training's own data the
            validation images, or the test images after a full training; of other data all.
        costs: CSV file with what each kind of mistake costs, for the mean cost. Default: that of the
            training, if its metric is ``cost``.
        artifact: Of a bundle: such as ``onnx`` or ``onnx-int8``. Default: the first that can be run.
        out: Folder to write to. Default: ``runs/RUN/evaluate/NNNN`` for a checkpoint of a run, else
            beside the checkpoint or bundle.

    Returns:
        The figures and the folder.

    Raises:
        InvalidInput: There is no such network, the data are missing, or they do not fit it.

    Examples:
        >>> import nas
        >>> nas.evaluate("runs/none/trials/0000/checkpoint.pt")
        Traceback (most recent call last):
        ...
        blocks.errors.InvalidInput: runs/none/trials/0000/checkpoint.pt: no such file
    """
    end_load()
    from nas.evaluation import checkpoint_subject, evaluate_network
    from nas.evaluation.subjects import default_splits
    from nas.exporting import bundle_subject, is_bundle

    source = given_path("network", network)
    for argument, value in (("split", split), ("artifact", artifact)):
        check_type(option(argument), value, (str, type(None)), "a name")
        check_not_empty(option(argument), value)
    bundled = is_bundle(source)
    if not bundled:
        check_no_bare_folder(str(source))
    matrix = None if costs is None else read_costs(given_path("costs", costs))
    folder = given_folder("out", out) if out is not None else _folder(source, bundled)
    check_folders_above(folder / "index.html")
    name = named(data, "data")
    place = None if data_dir is None else str(given_path("data_dir", data_dir))
    if bundled:
        subject, images = bundle_subject(source, artifact, name, place)
    elif artifact is not None:
        said = option("artifact", artifact)
        raise InvalidInput(f"{said}: {source} is no bundle; allowed with a bundle")
    else:
        subject, images = checkpoint_subject(source, name, place)
    if matrix is not None:
        matrix.of(subject.class_names)  # before the images are read
        subject = replace(subject, costs=matrix)
    done = evaluate_network(subject, images, default_splits(subject, images, split))
    make_folder(folder, option("out"))
    return write(done, folder)


def write(done: Evaluation, folder: Path) -> Evaluated:
    """Write the page and the files of an evaluation."""
    from nas.evaluation import document, summary
    from nas.report import write_evaluation

    write_evaluation(done, folder)
    return Evaluated(folder, done.figures, document(done), summary(done, folder))


def evaluate_training(checkpoint: Path, folder: Path) -> Evaluated | None:
    """The evaluation that a full training leaves, on the test images; None without any."""
    from nas.evaluation import checkpoint_subject, evaluate_network

    subject, images = checkpoint_subject(checkpoint)
    if not images.info.test_images:
        return None
    return write(evaluate_network(subject, images, ("test",)), folder)


def _folder(source: Path, bundled: bool) -> Path:
    if bundled:
        # Not inside: a bundle is replaced as a whole.
        return source.with_name(f"{source.name}-evaluate")
    return made_from(source, "evaluate")
