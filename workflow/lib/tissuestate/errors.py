"""The exception whose sentence is written for the person who runs the workflow."""

import difflib
import re
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input, in one sentence: file and row, what was found and expected, what to do.

    What was found may hold line breaks (a quoted cell); the sentence stays on one line.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(" ".join(str(message).splitlines()))


def suggest_nearest(word: str, words: Iterable[str]) -> str:
    """' Did you mean ...?' with the word most similar to `word`; '' if none is similar.

    Only letters and digits are compared, without case: R writes X1.T for 1-T, others 1_T.
    """
    known: dict[str, str] = {}
    for name in sorted(words):
        known.setdefault(_keep_letters(name), name)
    found = difflib.get_close_matches(_keep_letters(word), list(known), n=1, cutoff=0.6)
    return f" Did you mean {known[found[0]]!r}?" if found else ""


def _keep_letters(word: str) -> str:
    return re.sub(r"[\W_]", "", word).lower() or word
