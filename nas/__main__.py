"""``python -m nas``: the command line."""

from nas.cli.main import run

run()
