"""Checks that the files of a sheet exist and are of the kind that their column expects."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pandas as pd

from tissuestate.errors import InputError
from tissuestate.text import BAM, CRAM, FASTA, FASTQ, HDF5, PARQUET, Kind, detect_kind, open_content

_KINDS = {
    "fastq_1": (("", FASTQ, FASTA), "FASTQ, plain or packed with gzip"),
    "fastq_2": (("", FASTQ, FASTA), "FASTQ, plain or packed with gzip"),
    "bam": ((BAM, CRAM), "BAM or CRAM"),
    "matrix": (("", HDF5, PARQUET), "a table of text, Parquet or h5ad"),
}
_FIRST_READS = 200
_THREADS = 16


def check_files(sheet: pd.DataFrame) -> None:
    """Raise InputError for the first file of a sheet that is absent, empty or of another kind.

    Also for mates that hold the same reads. The first few kilobytes of each file are read.
    """
    for sentence in find_flaws(sheet).values():
        raise InputError(sentence)


def find_flaws(sheet: pd.DataFrame) -> dict[str, str]:
    """{sample: sentence on the first of its files that is of another kind than expected}.

    Raises InputError for the first file that is absent: the sheet is wrong then.
    """
    named: dict[tuple[str, str], list[str]] = {}
    for column in _KINDS:
        for sample, cell in zip(sheet["sample"], sheet[column], strict=True):
            for name in cell.split(","):
                if name and "://" not in name:
                    named.setdefault((column, name), []).append(sample)
    found: dict[str, str] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        wrong = pool.map(lambda place: _find_flaw(named[place][0], *place), named)
        for samples, sentence in zip(named.values(), wrong, strict=True):
            for sample in samples if sentence else ():
                found.setdefault(sample, sentence)
        mates = [pair for pair in _mate_pairs(sheet) if pair[0] not in found]
        for pair, sentence in zip(
            mates, pool.map(lambda pair: _find_equal_mates(*pair), mates), strict=True
        ):
            if sentence:
                found.setdefault(pair[0], sentence)
    return found


def _find_flaw(sample: str, column: str, name: str) -> str:
    where = f"sample {sample!r}, column {column}"
    file = Path(name)
    if not file.is_file():
        raise InputError(
            f"{where}: there is no file {name!r} (looked for {file.absolute()}); correct the path "
            "in the sheet."
        )
    kind = detect_kind(file)
    if not kind.head:
        inside = " (gzip of nothing)" if kind.zipped else ""
        return f"{where}: {name!r} is empty{inside}."
    known, expected = _KINDS[column]
    if kind.name in known and not _is_odd(column, kind):
        return ""
    found = kind if kind.name else f"{kind} that begins with {kind.head[:30]!r}"
    advice = f"; {kind.advice}" if kind.advice else "; correct the path in the sheet"
    return f"{where}: {name!r} is {found}; expected {expected}{advice}."


def _is_odd(column: str, kind: Kind) -> bool:
    if column.startswith("fastq"):
        return kind.head.lstrip()[:1] not in (b"@", b">")
    return kind.name in (HDF5, PARQUET, CRAM) and kind.zipped


def _mate_pairs(sheet: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    for sample, first, second in zip(
        sheet["sample"], sheet["fastq_1"], sheet["fastq_2"], strict=True
    ):
        for pair in zip(first.split(","), second.split(","), strict=False):
            if all(name and "://" not in name for name in pair):
                yield sample, *pair


def _find_equal_mates(sample: str, first: str, second: str) -> str:
    """A sentence if two files begin with the same reads, which mates never do; else ''."""
    reads = _first_sequences(first)
    if not any(read.strip(b"Nn") for read in reads) or reads != _first_sequences(second):
        return ""
    return (
        f"sample {sample!r}: {first!r} and {second!r} begin with the same reads, so both are the "
        "same mate; correct the paths in the sheet, or copy the other mate again."
    )


def _first_sequences(name: str) -> list[bytes]:
    try:
        with open_content(name) as stream:
            return [line.rstrip() for line in islice(stream, 1, 4 * _FIRST_READS, 4)]
    except (InputError, OSError):
        return []  # the job that reads the whole file reports it
