"""Checks of names in a sample sheet, and of rows against each other."""

import os
import re
from collections.abc import Sequence
from decimal import Context, InvalidOperation, Overflow, Underflow
from pathlib import Path

import pandas as pd

from tissuestate.errors import InputError
from tissuestate.labels import has_class

_NUMBER = re.compile(r"[0-9]+\.?[0-9]*(e-?[0-9]+)?")
_EXACT = Context(prec=400, Emax=10**6, Emin=-(10**6), traps=[InvalidOperation, Overflow, Underflow])

_MARK = re.compile(r"[._-]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_NAME = 150

Rows = list[dict[str, str]]
Places = list[tuple[str | Path, int]]  # the sheet and row of each


def check_name(path: str | Path, number: int, column: str, value: str) -> None:
    """Raise InputError for a name that is empty or may not stand in a path."""
    if not value:
        raise InputError(f"{path}, row {number}, column {column}: empty; give it a name.")
    if not _NAME.fullmatch(value):
        raise InputError(
            f"{path}, row {number}, column {column}: {value!r} is not a safe name; use letters, "
            "digits, '.', '_' and '-', beginning with a letter or digit."
        )
    if len(value) > _LONGEST_NAME:
        raise InputError(
            f"{path}, row {number}, column {column}: {len(value)} characters are too many for a "
            f"file name; use {_LONGEST_NAME} at most."
        )


def check_class(
    path: str | Path, number: int, column: str, name: str, spelled: dict[str, str]
) -> None:
    """Check a class name, and that `spelled`, which records it, has no other spelling of it."""
    check_name(path, number, column, name)
    other = spelled.setdefault(_normalise_spelling(name), name)
    if other != name:
        raise InputError(
            f"{path}, row {number}, column {column}: {name!r} {_likeness(name, other)} {other!r}; "
            f"write the same {column} in one way."
        )


def check_unique(rows: Rows, places: Places) -> None:
    """Raise InputError for a sample or a file that an earlier row has named."""
    names: dict[str, int] = {}
    origins: dict[tuple[str, str], int] = {}
    matrices: dict[str, int] = {}
    for i, row in enumerate(rows):
        path, number = places[i]
        first = names.setdefault(_normalise_spelling(row["sample"]), i)
        if first != i:
            other, earlier = places[first]
            named = rows[first]["sample"]
            same = named == row["sample"]
            raise InputError(
                f"{path}, row {number}, column sample: {row['sample']!r} "
                + ("was" if same else f"{_likeness(row['sample'], named)} {named!r},")
                + f" already named in {other}, row {earlier}; give each sample its own name."
            )
        if row["matrix"]:
            _check_same_settings(
                rows, places, matrices.setdefault(_normalise_path(row["matrix"]), i), i
            )
        keys = [(row["matrix"], row["column"] or row["sample"])] if row["matrix"] else []
        keys += [(name, "") for name in row["fastq_1"].split(",") if name]
        keys += [(name, "") for name in row["fastq_2"].split(",") if name]
        keys += [(row[column], "") for column in ("bam", "sra") if row[column]]
        for key in [(_normalise_path(name), column) for name, column in keys]:
            first = origins.get(key, -1)
            if first >= 0:
                what = f"column {key[1]!r} of {key[0]}" if key[1] else key[0]
                raise InputError(
                    f"{path}, row {number}: {what} is already used in {places[first][0]}, row "
                    f"{places[first][1]}; one of the two is a mistake."
                )
            origins[key] = i


def _normalise_path(file: str) -> str:
    """A path in its shortest form: ./m.tsv is m.tsv."""
    return file if "://" in file else os.path.normpath(file)


def _check_same_settings(rows: Rows, places: Places, first: int, this: int) -> None:
    """Raise InputError if two samples read one matrix in two ways, and no column says which.

    Each would be read alone, and take the only column of a file of one sample.
    """
    for column in ("unit", "strandedness"):
        here, there = rows[this][column], rows[first][column]
        if here != there and not (rows[this]["column"] and rows[first]["column"]):
            raise InputError(
                f"{places[this][0]}, row {places[this][1]}, column {column}: found {here!r}, but "
                f"{places[first][0]}, row {places[first][1]}, has {there!r} for the same matrix; "
                "write the same, or into both rows the column of the sample."
            )


def check_names(rows: Rows, places: Places) -> None:
    """Raise InputError for a name that is spelled in two ways, or a specimen of two."""
    for owner in ("donor", "laboratory"):
        _check_specimens(rows, places, owner)
    _check_spellings(rows, places)


def _check_specimens(rows: Rows, places: Places, owner: str) -> None:
    """Raise InputError for a specimen of two donors or laboratories, as `owner` says.

    Two studies that share specimens, and name no laboratory, are no mistake.
    """
    named: dict[str, int] = {}
    for i, row in enumerate(rows):
        first = named.setdefault(row["specimen"], i)
        if owner == "laboratory" and all(
            rows[k]["laboratory"] == rows[k]["study"] for k in (first, i)
        ):
            continue
        if rows[first][owner] != row[owner]:
            raise InputError(
                f"{places[i][0]}, row {places[i][1]}: specimen {row['specimen']!r} is from {owner} "
                f"{row[owner]!r} here and from {rows[first][owner]!r} in {places[first][0]}, "
                f"row {places[first][1]}; a specimen has one {owner}."
            )


def _check_spellings(rows: Rows, places: Places) -> None:
    for column in ("donor", "specimen", "study", "laboratory", "source", "project"):
        spelled: dict[str, int] = {}
        for i, row in enumerate(rows):
            key = _normalise_spelling(row[column])
            if column == "donor":  # R makes TCGA.AB.1234 of TCGA-AB-1234
                key = _MARK.sub("-", key)
            first = spelled.setdefault(key, i)
            named = rows[first][column]
            if named != row[column]:
                raise InputError(
                    f"{places[i][0]}, row {places[i][1]}, column {column}: {row[column]!r} "
                    f"{_likeness(row[column], named)} {named!r} in {places[first][0]}, row "
                    f"{places[first][1]}; write the same {column} in one way, and others so that "
                    "they differ in more."
                )


def _normalise_spelling(name: str) -> str:
    """A name without what spreadsheets and typists change: its case, how a number is written."""
    name = name.lower()
    if _NUMBER.fullmatch(name):
        try:
            return str(_EXACT.create_decimal(name).normalize(_EXACT))
        except (InvalidOperation, Overflow, Underflow):
            return name
    return name


def _likeness(name: str, other: str) -> str:
    if name.lower() == other.lower():
        return "differs only in case from"
    if _normalise_spelling(name) != _normalise_spelling(other):
        return "differs only in its marks from"
    return "is the same number as"


def check_class_sizes(sheet: pd.DataFrame, heads: Sequence[str], where: str) -> None:
    """Raise InputError for a class of one sample or donor: it cannot be both learnt and tested."""
    for head in heads:
        labelled = sheet[has_class(sheet) & (sheet[head] != "")]
        sizes = labelled.groupby(head, sort=True)["donor"].agg(["size", "nunique"])
        for name, row in sizes.iterrows():
            for count, what in ((row["size"], "sample"), (row["nunique"], "donor")):
                if count == 1:
                    raise InputError(
                        f"{where}: {head} {name!r} has one {what} only, which cannot be both "
                        f"learnt and tested; add samples of other donors or leave the class out."
                    )
