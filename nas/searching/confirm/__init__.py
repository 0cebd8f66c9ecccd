"""``nas confirm``: the networks that may be on the front are trained again with other seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lazy import lazy_names

if TYPE_CHECKING:
    from nas.searching.confirm.outcome import ConfirmedFront as ConfirmedFront
    from nas.searching.confirm.outcome import Step as Step
    from nas.searching.confirm.outcome import read_confirmed as read_confirmed
    from nas.searching.confirm.run import confirm_run as confirm_run
    from nas.searching.confirm.stored import confirmed_records as confirmed_records

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "nas.searching.confirm.outcome": ["ConfirmedFront", "Step", "read_confirmed"],
        "nas.searching.confirm.run": ["confirm_run"],
        "nas.searching.confirm.stored": ["confirmed_records"],
    },
)
