"""The sources of a bundle's training data: accession, place and licence of each."""

from pathlib import Path

import pandas as pd

from tissuestate.errors import InputError
from tissuestate.sheet.rows import read_rows

COLUMNS = ("source", "accession", "obtained_from", "licence")


def list_sources(path: str | Path, cohort: pd.DataFrame) -> list[dict[str, str | int]]:
    """Each source of the cohort with accession, place, licence and its number of samples.

    path: a TSV with the columns `COLUMNS`, in whose order they are listed; it may name more sources
    than the cohort has. Raises InputError for an empty cell, and for a source that the table lacks
    or names twice.
    """
    samples = cohort["source"].value_counts()
    found: dict[str, dict[str, str | int]] = {}
    for number, row in read_rows(path, COLUMNS):
        for column in COLUMNS:
            if not row[column]:
                raise InputError(
                    f"{path}, row {number}, column {column}: found nothing; if it is not known, "
                    "say so in words."
                )
        if row["source"] in found:
            raise InputError(
                f"{path}, row {number}, column source: {row['source']!r} is already in a row "
                "above; remove one of the two."
            )
        found[row["source"]] = {column: row[column] for column in COLUMNS}
    missing = [name for name in samples.index if name not in found]
    if missing:
        raise InputError(
            f"{path}: has no row for {', '.join(map(repr, missing))}, which the cohort has in its "
            "column source; add one for each."
        )
    return [
        {**row, "samples": int(samples[name])} for name, row in found.items() if name in samples
    ]
