"""The argument ``progress`` of long calls: where they show what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.errors import InvalidInput
from blocks.wording import short

if TYPE_CHECKING:
    from rich.console import Console


def given_console(progress: object) -> Console | None:
    """The console that ``progress`` asks for; None for silence.

    Args:
        progress: True: standard output; or a console of rich.

    Raises:
        InvalidInput: It is neither a truth value nor a console.
    """
    if progress is False:
        return None
    import rich
    from rich.console import Console

    if progress is True:
        return rich.get_console()
    if not isinstance(progress, Console):
        raise InvalidInput(
            f"progress {short(progress)}: allowed: True, False or a rich.console.Console"
        )
    return progress
