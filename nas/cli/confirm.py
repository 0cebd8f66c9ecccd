"""``nas confirm``: train the networks again that may be on the front, and print it with intervals."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.api.importing import importing
from nas.cli.choice import (
    Limits,
    MaxActivations,
    MaxLatencyMs,
    MaxMflops,
    MaxParams,
    Pick,
    make_budgets,
)
from nas.cli.completion import complete_runs
from nas.cli.console import AsJson, console, print_json, say
from nas.errors import WorkFailed
from nas.runs.folder import RunFolder
from nas.training.recipe import RECIPES

WHERE = "Where it runs"


def confirm(
    run: Annotated[str, typer.Argument(help="Name of the run.", autocompletion=complete_runs)],
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Epochs to train in all, with those of earlier calls. Default: three further trainings "
            "of each network on the front."
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help=f"One of: {', '.join(RECIPES)}. Default: that of the search, whose own trainings then "
            "count as well.",
            autocompletion=lambda incomplete: [
                one for one in RECIPES if one.startswith(incomplete)
            ],
        ),
    ] = None,
    pick: Pick = None,
    max_mflops: MaxMflops = None,
    max_params: MaxParams = None,
    max_activations: MaxActivations = None,
    max_latency_ms: MaxLatencyMs = None,
    limits: Limits = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Trainings at a time. Default: as searched.", rich_help_panel=WHERE),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads per training. Default: as searched.", rich_help_panel=WHERE),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            help="local, or ray (a cluster). Default: as searched.", rich_help_panel=WHERE
        ),
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="Ray cluster, host:port.", rich_help_panel=WHERE)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train the networks that may be on the front again with other seeds.

    The front is then printed with mean errors and 95 % intervals, and says which neighbours cannot be
    told apart. Given again, the command goes on where it was ended.

    Example: nas confirm first --workers 2
    """
    budgets = make_budgets(
        limits,
        max_mflops=max_mflops,
        max_params=max_params,
        max_activations=max_activations,
        max_latency_ms=max_latency_ms,
    )
    folder = RunFolder.existing(run)
    changes = {
        "workers": workers,
        "threads": threads,
        "executor": executor,
        "ray_address": ray_address,
    }
    with importing():
        import torch  # noqa: F401  # what follows imports it
        from rich.console import Console

        from nas.api.choosing import NOT_WORSE, choose
        from nas.api.confirming import carry_out
        from nas.cli.front_table import front_document, picked_document, print_front
        from nas.searching import read_front
        from nas.searching.uncertainty import front_uncertainty
        from nas.searching.view import PlainView
    wants_pick = pick is not None or not budgets.is_empty
    if wants_pick and (pick != NOT_WORSE or not budgets.is_empty):
        # A wrong request is refused before hours of training: no cheaper network comes of those.
        choose(folder, read_front(folder), None if pick == NOT_WORSE else pick, budgets)
    view = PlainView(Console(stderr=True) if as_json else console)
    try:
        carry_out(folder, view, epochs=epochs, recipe=recipe, changes=changes)
    except KeyboardInterrupt:
        again = f"nas confirm {folder.name}" + ("" if epochs is None else f" --epochs {epochs}")
        raise WorkFailed(f"interrupted; continue with: {again}") from None
    front = read_front(folder)
    uncertainty = front_uncertainty(folder, front)
    picked = choose(folder, front, pick, budgets) if wants_pick else None
    if as_json:
        document = front_document(front, uncertainty)
        if picked is not None:
            document["pick"] = picked_document(front, document, picked.point)
        print_json(document)
        return
    print_front(front, uncertainty)
    if picked is not None:
        if picked.why is not None:
            say(picked.why)
        number = picked.point.trial
        say(f"take trial {number}: nas train {folder.name} --trial {number}")
    else:
        say(f"next: nas pareto {folder.name} --pick not-worse")
