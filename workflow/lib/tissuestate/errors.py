"""The one exception that is meant for the person who runs the workflow."""


class InputError(ValueError):
    """Bad input, told in one sentence: the file and row, what was found, what to do about it."""
