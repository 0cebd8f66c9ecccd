"""What Python programs and notebooks use, and what the commands are thin layers over."""
