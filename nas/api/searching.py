"""``nas.search``: run a search, or continue one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from blocks.wording import check_type
from nas.api.notices import show_notices
from nas.api.options import Request
from nas.api.run import Run
from nas.data.photo_progress import show_reading
from nas.plugins import end_load
from nas.searching import resume_search, start_search
from nas.searching.view import View, default_view

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from blocks import ArchSpec
    from nas.cost import DeviceClass
    from search_spaces import SearchSpace


def search(
    space: str | Path | SearchSpace | None = None,
    *,
    data: str | Path | Callable[..., Any] | None = None,
    trials: int | None = None,
    epochs: int | None = None,
    workers: int | None = None,
    seed: int | None = None,
    training_seed: int | None = None,
    name: str | None = None,
    resume: str | Run | None = None,
    config: str | Path | None = None,
    max_mflops: float | None = None,
    max_params: float | None = None,
    max_activations: float | None = None,
    max_latency_ms: float | None = None,
    limits: Mapping[str, float] | Sequence[str] | None = None,
    device: str | Path | None = None,
    device_class: DeviceClass | None = None,
    objectives: str | Sequence[str | Callable[[ArchSpec], float]] | None = None,
    sampler: str | type[BaseSampler] | Callable[[int], BaseSampler] | None = None,
    early_stopping: str | None = None,
    total_epochs: int | None = None,
    patience: int | None = None,
    pretrained: str | Path | None = None,
    pretrained_missing: str | None = None,
    inherit: int | None = None,
    module: str | type | None = None,
    evaluator: str | Callable[..., Any] | None = None,
    recipe: str | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    metric: str | None = None,
    costs: str | Path | None = None,
    balance: str | None = None,
    augment: Literal["standard", "trivial"] | None = None,
    reparametrise: bool | None = None,
    data_dir: str | Path | None = None,
    limit: int | None = None,
    val_limit: int | None = None,
    input_size: int | None = None,
    cache_gb: float | None = None,
    epoch_images: int | None = None,
    scale_jitter: float | None = None,
    group_by: str | None = None,
    splits: str | Path | None = None,
    on_bad_image: Literal["stop", "skip"] | None = None,
    threads: int | None = None,
    executor: str | None = None,
    ray_address: str | None = None,
    gpus: float | None = None,
    checkpoints: str | None = None,
    storage: str | None = None,
    runs_dir: str | Path | None = None,
    devices_dir: str | Path | None = None,
    logs_dir: str | Path | None = None,
    progress: bool = True,
) -> Run:
    """Search a space for networks of low error and low cost.

    It takes what the command ``nas search`` takes, by the same names; only ``--max`` is ``limits``. None
    leaves an argument to ``config``, or to its default. Each training runs in a process of its own. An
    interrupt leaves a run that ``nas.search(resume=NAME)`` continues from its last checkpoints.

    Args:
        space: Name of a shipped search space, a YAML file, or a SearchSpace.
        data: Path of photographs (docs/howto/photographs.md), ``digits``, ``fashion_mnist``,
            ``fashion_scenes``, ``cifar10``, ``cifar100``, or a callable that returns data sets
            (docs/howto/own_data.md).
        trials: Networks to train; with early stopping, to begin. Default 40.
        epochs: Epochs per trial.
        workers: Trainings at a time. Default 1.
        seed: Of proposals and trainings. Default 0.
        training_seed: Of trainings alone: weights, order and augmentation, alike in all trials. Default:
            ``seed``.
        name: Of the run; default made of the space and the data.
        resume: Name of a run to continue, or the run. Of the other arguments only ``trials``,
            ``workers``, ``threads``, ``total_epochs``, ``patience``, ``executor``, ``ray_address``,
            ``gpus`` and ``checkpoints`` may be given with it.
        config: YAML file with any of the fields of search.yaml.
        max_mflops: Hard budget: millions of multiply-adds per image.
        max_params: Hard budget: parameters.
        max_activations: Hard budget: activations per image.
        max_latency_ms: Hard budget: milliseconds per image on ``device``.
        limits: Hard budgets of any objectives: name -> largest value, or texts ``NAME=VALUE``.
        device: Name of a measured device, or its JSON file.
        device_class: Whose memory ``sram_kb`` and ``flash_kb`` are: ``tflm`` (default), microcontrollers
            that run TensorFlow Lite Micro, or an Ethos-U such as ``ethos-u55-128``, by the estimate of
            Arm's compiler Vela, which gives ``npu_ms`` too (docs/howto/microcontroller.md).
        objectives: ``error`` and any costs, minimised; a function decorated with ``nas.objective``, too.
            Default error and mflops.
        sampler: Name of a sampler, or one of Optuna's (a class, or a function of a seed). Default
            ``forecast``.
        early_stopping: ``none``, ``pareto``, ``cost-peers`` or ``forecast``. Default: forecast with
            ``total_epochs``, else none.
        total_epochs: Epochs to train in all.
        patience: End after so many trainings without growth of the hypervolume by 0.1 %.
        pretrained: Weights that every network starts from: ``imagenet``, a file of weights of the plain
            network, a folder with ``BACKBONE_WIDTH.pt``, a run, or ``parent``: the plain network, which
            the search trains first (docs/howto/pretrained.md).
        pretrained_missing: Networks of a width without weights: ``refuse`` (default) the search, or
            start them from ``scratch``.
        inherit: With ``parent``, or in place of it: so many epochs from there. Default: the recipe's.
        module: LightningModule that a trial trains (docs/howto/own_module.md).
        evaluator: Function that says how good a network is, in place of its training
            (docs/howto/own_evaluator.md).
        recipe: Name of a recipe. Default: ``fine_tune`` from pretrained weights, else ``tiny`` or
            ``proxy`` by the number of images (docs/howto/recipes.md); with early stopping ``rungs``.
        batch_size: Images per step.
        lr: Peak learning rate.
        metric: What the objective ``error`` is: ``error``, ``balanced_error``, ``1-macro_f1`` or
            ``cost``, the mean cost of an image.
        costs: CSV file with the cost of each predicted class (columns) for an image of each true class
            (rows). The metric is then ``cost``. The run keeps what the file says.
        balance: ``none``, or ``weights``, ``logits`` or ``sampling``: classes of unequal size count
            alike.
        reparametrise: Train every spatial convolution with further branches beside it, which are merged
            into it afterwards. Default: as in the recipe, False in all that come with the program.
        augment: ``trivial``: TrivialAugment after the crops and flips of the data set, the ``standard``.
        data_dir: Where the images are looked for.
        limit: Train on the first so many images only.
        val_limit: Validate on the first so many held-out images only.
        input_size: Side of an image in pixels, for image folders. Default 224.
        cache_gb: Gigabytes of decoded photographs that are kept for later trainings. Default 8; 0: none.
        epoch_images: Images per epoch, drawn anew for each.
        scale_jitter: Lowest scale at which objects are pasted, 0 to 1.
        group_by: Photographs of one group stay on one side of every split: a column of the table, or a
            regular expression on their paths.
        splits: splits.csv of an earlier run, whose photographs stay in their splits.
        on_bad_image: ``stop`` refuses photographs that cannot be decoded, ``skip`` leaves them out.
            Default ``stop``.
        threads: CPU threads per training. Default: the cores shared out.
        executor: ``local`` or ``ray``.
        ray_address: Of the Ray cluster, host:port.
        gpus: GPUs that a training asks the cluster for.
        checkpoints: With ray: a store that all machines reach.
        storage: Database URL of the study. Default: SQLite in the run's folder.
        runs_dir: Folder of the runs. Default: ``SKNAS_RUNS_DIR``, else ``runs``.
        devices_dir: Folder of the devices' tables. Default: ``SKNAS_DEVICES_DIR``, else ``devices``.
        logs_dir: Folder of TensorBoard's logs. Default: ``SKNAS_LOGS_DIR``, else ``lightning_logs``.
        progress: Show the search: live in a terminal or notebook, else one line per event.

    Returns:
        The run, with its front.

    Raises:
        InvalidInput: An argument is wrong: one line that says what, where and what is allowed. Nothing
            was written. Of a plug-in whose fault shows only in a training, the line says whether the run
            was removed or can be resumed.
        WorkFailed: The first trainings have all failed.
        KeyboardInterrupt: The search was interrupted; the run can be resumed.

    Examples:
        >>> import nas
        >>> run = nas.search(
        ...     "quickstart", data="digits", trials=2, epochs=1, name="example", progress=False
        ... )
        >>> run.front.objectives
        ('error', 'mflops')
    """
    given = {key: value for key, value in locals().items() if value is not None}
    check_type("progress", given.get("progress"), bool, "True or False")
    show = given.pop("progress", None)
    if show:
        show_notices()
    end_load()
    with show_reading(show=show):
        return carry_out(Request.of(given), default_view(show=show))


def carry_out(request: Request, view: View) -> Run:
    """Begin or continue the search of ``request``, and give its run.

    Raises:
        InvalidInput: It cannot be begun.
        WorkFailed: The first trainings have all failed.
        KeyboardInterrupt: It was interrupted; if search.yaml is there, the run can be resumed.
    """
    if request.config is None:
        resume_search(request.run, view, request.changes)
    else:
        start_search(request.config, view, request.run)
    return Run(request.run)
