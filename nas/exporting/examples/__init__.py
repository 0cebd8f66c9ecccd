"""The examples of a bundle: programs that show how an application runs its files, as templates."""

from __future__ import annotations

from nas.exporting.examples.filling import EXAMPLES as EXAMPLES
from nas.exporting.examples.filling import browser_page as browser_page
from nas.exporting.examples.filling import example_folders as example_folders
from nas.exporting.examples.filling import example_names as example_names
from nas.exporting.examples.filling import write_examples as write_examples

__all__ = ["EXAMPLES", "browser_page", "example_folders", "example_names", "write_examples"]
