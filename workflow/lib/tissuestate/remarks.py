"""Kinds of warnings about a sample: what makes its call doubtful, and what is only to be known.

Warnings are sentences; those of neither kind concern the class that is called.
"""

from typing import Self


class Doubt(str):
    """A warning that makes any call of the sample doubtful; `label` names the reason in brief."""

    label: str

    def __new__(cls, label: str, sentence: str) -> Self:
        doubt = super().__new__(cls, sentence)
        doubt.label = label
        return doubt


class Note(str):
    """A warning about how a file was read, which does not concern the call."""
