"""The one exception that is meant for the person who runs the workflow."""


class InputError(ValueError):
    """Bad input, told in one sentence: the file and row, what was found, what to do about it.

    What was found may hold line breaks (a quoted cell); the sentence stays on one line.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(" ".join(str(message).splitlines()))
