"""The program: costs, data, training, search, front, export and the command line."""
