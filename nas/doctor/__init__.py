"""What works on this machine, what does not, and what a search would cost here.

Nothing is imported here, for what is tried out in a process of its own shall begin in a moment.
"""
