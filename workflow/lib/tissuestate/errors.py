"""The one exception that is meant for the person who runs the workflow."""

import difflib
import re
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input, told in one sentence: the file and row, what was found, what to do about it.

    What was found may hold line breaks (a quoted cell); the sentence stays on one line.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(" ".join(str(message).splitlines()))


def suggest_nearest(word: str, words: Iterable[str]) -> str:
    """' Did you mean ...?' with the word most like `word`, or nothing where none is near.

    Case and all but letters and digits count for nothing: R writes X1.T for 1-T, others 1_T.
    """
    known: dict[str, str] = {}
    for name in sorted(words):
        known.setdefault(_keep_letters(name), name)
    found = difflib.get_close_matches(_keep_letters(word), list(known), n=1, cutoff=0.6)
    return f" Did you mean {known[found[0]]!r}?" if found else ""


def _keep_letters(word: str) -> str:
    return re.sub(r"[\W_]", "", word).lower() or word
