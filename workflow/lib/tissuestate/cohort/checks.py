"""Checks of a cohort's expression: what cannot be used, what is doubtful, what is a copy."""

import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tissuestate.errors import InputError
from tissuestate.matrices.gene_rows import MappedRows
from tissuestate.matrices.screening import (
    Screened,
    screen_expression,
    screen_transcripts,
    screen_values,
)

MANY_EXPRESSED = 100  # genes expressed, above which two samples are not equal by chance
# Share of the kept genes that a sample must measure. From .46 the rest is estimated well; from .18
# the tissue is right in .84 (benchmarks/missing_genes.tsv); a panel's .08 made lungs "cervix".
LEAST_MEASURED = 0.3

_NUMBERS = re.compile(r"[0-9][0-9.,]*")

log = logging.getLogger(__name__)


def screen_file(
    path: Path, names: list[str], values: np.ndarray, unit: str, mapped: MappedRows
) -> None:
    """Raise InputError for the first sample that cannot be used; warn of each doubt once."""
    doubts = _Doubts(f"{path}: ")
    for name, row in zip(names, values, strict=True):
        where = f"{path}, column {name!r}, stated as {unit}"
        doubts.add(name, where, screen_values(row, unit))
        placed = screen_transcripts(row, unit, mapped.transcripts, mapped.known)
        doubts.add(name, where, placed)
    doubts.log_all()


def screen_cohort(
    values: np.ndarray, samples: pd.DataFrame, counts: Mapping[str, str | Path]
) -> None:
    """Raise InputError for the first sample unusable on the genes in use; warn of doubts once."""
    doubts = _Doubts("")
    about = samples[["sample", "matrix", "column", "unit"]].to_numpy(dtype=object)
    for (name, matrix, column, unit), row in zip(about, values, strict=True):
        where = f"{matrix}, column {column or name!r}" if matrix else str(counts[name])
        doubts.add(name, f"{where}, sample {name!r}", screen_expression(row, unit))
    doubts.log_all()


def check_measured(
    values: np.ndarray, samples: pd.DataFrame, counts: Mapping[str, str | Path]
) -> None:
    """Raise InputError for a file whose samples measure too few of the genes in use."""
    measured = np.isfinite(values).sum(axis=1)
    few = np.flatnonzero(measured < LEAST_MEASURED * values.shape[1])
    if len(few):
        name, matrix = samples[["sample", "matrix"]].iloc[few[0]]
        raise InputError(
            f"{matrix or counts[name]}: sample {name!r} has {measured[few[0]]:,} of the "
            f"{values.shape[1]:,} genes that most training samples have, at least "
            f"{LEAST_MEASURED:.0%} are needed; leave the file's samples out of the sheet."
        )


class _Doubts:
    """Samples by what is doubtful about them, whatever the numbers are."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._samples: dict[str, list[str]] = {}
        self._sentences: dict[str, str] = {}

    def add(self, name: str, where: str, screened: Screened) -> None:
        """Note a sample's warnings. Raises InputError if it is refused."""
        if screened.refusal:
            raise InputError(f"{where}: {screened.refusal}")
        for sentence in screened.warnings:
            kind = _NUMBERS.sub("#", sentence)
            self._samples.setdefault(kind, []).append(name)
            self._sentences.setdefault(kind, sentence)

    def log_all(self) -> None:
        """Log each doubt once."""
        for kind, names in self._samples.items():
            some = f"{len(names):,} samples, such as {names[0]}"
            log.warning("%s%s: %s", self.where, some, self._sentences[kind])


def check_copies(values: np.ndarray, samples: pd.DataFrame) -> None:
    """Raise InputError if two donors have the same values: a copy in the test set is no test.

    Equal values of one donor are logged as a warning.
    """
    first_of: dict[bytes, int] = {}
    names, donors = samples["sample"].tolist(), samples["donor"].tolist()
    for row, expression in enumerate(values):
        if np.count_nonzero(np.nan_to_num(expression)) < MANY_EXPRESSED:
            continue
        first = first_of.setdefault(hashlib.blake2b(expression.tobytes()).digest(), row)
        if first == row:
            continue
        if donors[first] != donors[row]:
            raise InputError(
                f"sample {names[row]!r} of donor {donors[row]!r} has the same value as sample "
                f"{names[first]!r} of donor {donors[first]!r} in each gene; one of them is a copy: "
                "leave it out, or correct its matrix and column in the sheet."
            )
        log.warning("sample %s has the same values as %s", names[row], names[first])
