"""``nas pareto``: the front of a run, and the network to take."""

from __future__ import annotations

import os
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
from nas.cli.console import AsJson, print_json, say
from nas.runs.folder import RunFolder


def pareto(
    run: Annotated[str, typer.Argument(help="Name of the run.", autocompletion=complete_runs)],
    pick: Pick = None,
    max_mflops: MaxMflops = None,
    max_params: MaxParams = None,
    max_activations: MaxActivations = None,
    max_latency_ms: MaxLatencyMs = None,
    limits: Limits = None,
    within: Annotated[
        bool,
        typer.Option("--within", help="Print the best error within a dozen budgets of each cost."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the front of a run, finished or not, and pick a network from it.

    Example: nas pareto first --max-mflops 8
    """
    budgets = make_budgets(
        limits,
        max_mflops=max_mflops,
        max_params=max_params,
        max_activations=max_activations,
        max_latency_ms=max_latency_ms,
    )
    folder = RunFolder.existing(run)
    with importing():
        from nas.api.choosing import choose
        from nas.cli.front_table import (
            best_within_document,
            front_document,
            picked_document,
            print_best_within,
            print_front,
        )
        from nas.runs import write_text
        from nas.searching import read_front
        from nas.searching.uncertainty import front_uncertainty
    front = read_front(folder)
    wants_pick = pick is not None or not budgets.is_empty
    picked = choose(folder, front, pick, budgets) if wants_pick else None
    if os.access(folder.path, os.W_OK):
        write_text(folder.pareto, front.to_json())
    uncertainty = front_uncertainty(folder, front)
    if as_json:
        document = front_document(front, uncertainty)
        if within:
            document["best_within"] = best_within_document(front)
        if picked is not None:
            document["pick"] = picked_document(front, document, picked.point)
        print_json(document)
        return
    print_front(front, uncertainty)
    if within:
        print_best_within(front, uncertainty)
    if picked is not None:
        if picked.why is not None:
            say(picked.why)
        number = picked.point.trial
        say(f"take trial {number}: nas train {folder.name} --trial {number}")
        say(picked.point.spec.to_yaml().rstrip())
