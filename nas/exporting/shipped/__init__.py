"""Programs that leave with a bundle: they know nothing of this project."""
