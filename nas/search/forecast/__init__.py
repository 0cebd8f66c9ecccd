"""What a network will come to before its training has ended or begun, and what that is worth."""

from __future__ import annotations

from nas.search.forecast.prospector import Prospect, Prospector

__all__ = ["Prospect", "Prospector"]
