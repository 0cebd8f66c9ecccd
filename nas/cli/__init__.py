"""The command line ``nas``: one file a command."""
