"""Tables between stages: tab-separated text, in which only measures are numbers.

A sample may be called 007, 1e5, NA or TRUE: the type of a column is never inferred from its cells.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from tissuestate.errors import InputError

# Columns that hold names or sentences, in any table; all others hold numbers.
TEXT = frozenset(
    (
        *("sample", "donor", "study", "source", "split", "protocol", "part", "model", "leak"),
        *("head", "class", "tissue", "rule", "true", "called", "trained", "metric", "kind"),
        *("stage", "measure", "dataset", "id_type", "gene", "transcript", "level", "reason"),
        *("input", "input_sha256", "bundle", "bundle_name", "bundle_fingerprint"),
    )
)
_TEXT_ENDINGS = ("_true", "_call", "_trained")
_FLAGS = {"True": True, "False": False}


def read_strings(path: str | Path, samples: Iterable[str] | None = None) -> pd.DataFrame:
    """A table that a stage wrote (plain or .gz) with every cell as text, '' if empty.

    With `samples`, it must have one row for each of them and no other, in any order. Raises
    InputError for a table that is damaged or cut short, and for other rows than expected.
    """
    text = _read_text(Path(path))
    if text and not text.endswith("\n"):
        raise InputError(f"{path}: its last line is cut off; delete the file and run again.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    try:
        header, *rows = reader
    except (csv.Error, ValueError) as error:
        raise InputError(
            f"{path}: not a whole table (line {reader.line_num}: {error}); delete the file and run "
            "again."
        ) from error
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise InputError(
                f"{path}, row {number}: {len(row)} cells, but the header has {len(header)}; the "
                "table is damaged: delete the file and run again."
            )
    if len(set(header)) < len(header):
        raise InputError(f"{path}: two columns have one name; delete the file and run again.")
    table = pd.DataFrame(rows, columns=header, dtype=object)
    if samples is not None:
        check_samples(path, table, samples)
    return table


def read_table(
    path: str | Path,
    *,
    text: Collection[str] = (),
    flags: Collection[str] = (),
    samples: Iterable[str] | None = None,
) -> pd.DataFrame:
    """A table that a stage wrote: names as text, all other columns as numbers (NaN if empty).

    Text are the columns of `TEXT`, those that end in _true, _call or _trained, and `text`; `flags`
    hold True or False. Raises InputError as `read_strings` does, and for a cell that is no number
    (flag) in a column of numbers (flags).
    """
    table = read_strings(path, samples)
    for name in flags:
        require_column(path, table, name)
    for name in table:
        if name in flags:
            table[name] = _parse_flags(path, name, table[name])
        elif name not in TEXT and name not in text and not name.endswith(_TEXT_ENDINGS):
            table[name] = _parse_numbers(path, name, table[name])
    return table


def require_column(path: str | Path, table: pd.DataFrame, name: str) -> pd.Series:
    """A column of a table that was read from `path`. Raises InputError if it is missing."""
    if name not in table:
        raise InputError(
            f"{path}: column {name!r} is missing (found {', '.join(map(str, table.columns))}); "
            "delete the file and run again."
        )
    return table[name]


def check_samples(path: str | Path, table: pd.DataFrame, samples: Iterable[str]) -> None:
    """Raise InputError if the rows of a table are not those of `samples`, in any order."""
    found, expected = require_column(path, table, "sample"), list(samples)
    twice, here, known = found[found.duplicated()].tolist(), set(found), set(expected)
    missing = [name for name in expected if name not in here]
    other = [name for name in found if name not in known]
    for names, what in (
        (twice, "has two rows"),
        (missing, "has no row"),
        (other, "is not one of this run"),
    ):
        if names:
            raise InputError(
                f"{path}: sample {names[0]!r} {what} ({len(found)} rows, {len(expected)} samples "
                "expected); delete the file and run again."
            )


def plain_labels(obs: pd.DataFrame) -> pd.DataFrame:
    """Labels of an AnnData as strings, '' if missing; a sample or class may be called 'nan'."""
    return obs.astype(object).where(obs.notna(), "").astype(str)


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        return content.decode("utf-8")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}); run its stage again.") from error


def _parse_numbers(path: str | Path, name: str, cells: pd.Series) -> pd.Series:
    numbers = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell:
            try:
                numbers[row] = float(cell)
            except ValueError:
                raise _cell_error(path, row, name, cell, "a number") from None
    whole = len(cells) > 0 and cells.str.fullmatch("-?[0-9]{1,18}").all()
    return pd.Series(cells.astype("int64") if whole else numbers, index=cells.index)


def _parse_flags(path: str | Path, name: str, cells: pd.Series) -> pd.Series:
    for row, cell in enumerate(cells):
        if cell not in _FLAGS:
            raise _cell_error(path, row, name, cell, "True or False")
    return cells.map(_FLAGS).astype(bool)


def _cell_error(path: str | Path, row: int, name: str, cell: str, expected: str) -> InputError:
    return InputError(
        f"{path}, row {row + 2}, column {name}: found {cell!r}; expected {expected}. Delete the "
        "file and run again."
    )
