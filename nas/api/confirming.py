"""``Run.confirm``: train the networks again that may be on the front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from blocks.errors import InvalidInput
from nas.api.notices import show_notices
from nas.naming import option
from nas.plugins import end_load
from nas.runs import RunFolder

if TYPE_CHECKING:
    from nas.searching.confirm import ConfirmedFront
    from nas.searching.view import View


def carry_out(
    run: RunFolder,
    view: View,
    *,
    epochs: int | None,
    recipe: str | None,
    changes: Mapping[str, Any],
) -> ConfirmedFront:
    """Confirm a run; see ``Run.confirm``.

    Args:
        run: Its folder.
        view: Shows what happens.
        epochs: To train in all.
        recipe: Of the trainings.
        changes: Of ``execution``; those that are None are left out.

    Raises:
        InvalidInput: It cannot be begun.
        WorkFailed: The first trainings have all failed.
        KeyboardInterrupt: It was interrupted; the same call continues.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, int) and not isinstance(value, bool) and value < 1:
            raise InvalidInput(f"{option(name, value)}: allowed: 1 or more")
    if given.get("executor") == "local":
        given["checkpoints"] = None
    show_notices()
    end_load()
    from nas.searching.confirm import confirm_run

    return confirm_run(run, view, epochs=epochs, recipe=recipe, changes=given)
