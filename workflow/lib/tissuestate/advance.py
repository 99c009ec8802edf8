"""How long work tells how far it is: it is given a function to call with what is done."""

from collections.abc import Callable

Advance = Callable[[int], None]  # takes the number of samples that are done since the last time


def say_nothing(samples: int) -> None:
    """Show no progress."""
