"""Options that choose a network of a run, and the budgets that they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.completion import complete_picks, complete_trials

if TYPE_CHECKING:
    from nas.cost import Budgets

BUDGETS = "Budgets"
"""Heading of these options in a help text."""

MaxMflops = Annotated[
    float | None,
    typer.Option(help="Limit: million multiply-adds per image.", rich_help_panel=BUDGETS),
]
MaxParams = Annotated[
    float | None, typer.Option(help="Limit: parameters.", rich_help_panel=BUDGETS)
]
MaxActivations = Annotated[
    float | None, typer.Option(help="Limit: activations per image.", rich_help_panel=BUDGETS)
]
MaxLatencyMs = Annotated[
    float | None,
    typer.Option(help="Limit: milliseconds per image on the --device.", rich_help_panel=BUDGETS),
]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--max",
        metavar="NAME=VALUE",
        help="Limit of any objective; may be given several times.",
        rich_help_panel=BUDGETS,
    ),
]
Trial = Annotated[
    int | None,
    typer.Option(help="Number of the trial to take.", autocompletion=complete_trials),
]
Pick = Annotated[
    str | None,
    typer.Option(
        help="Take a network: knee, of the front; expected, of least error when each is weighed "
        "against those of networks like it; or, after nas confirm, not-worse: the cheapest that is not "
        "worse than the best at 95 %. Budgets may go with the last two.",
        autocompletion=complete_picks,
    ),
]


def make_budgets(limits: list[str] | None, **shorthands: float | None) -> Budgets:
    """Budgets from the command line's options: ``--max NAME=VALUE`` and its shorthands.

    Raises:
        InvalidInput: A limit that is not a positive number.
    """
    from nas.api.limits import budgets_of

    given: dict[str, Any] = {**shorthands}
    if limits:
        from nas.cost import limits_of

        given |= limits_of(limits)[0]
    return budgets_of(given)
