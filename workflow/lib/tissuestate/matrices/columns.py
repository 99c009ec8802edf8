"""Columns of a matrix file that hold samples, and the matrix that the file is read into."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tissuestate.errors import InputError, suggest_nearest

# Names of columns that are no samples, without blanks and signs.
_DESCRIPTIONS = {
    *("chr", "chrom", "chromosome", "seqname", "start", "end", "strand", "length", "width"),
    *("description", "genetype", "genebiotype", "biotype", "exoncount"),
}
_IDS = {
    *("geneid", "genename", "genesymbol", "symbol", "hgncsymbol", "hugosymbol", "entrezgeneid"),
    *("entrez", "entrezid", "entrezgene", "ncbigeneid", "name", "ensembl", "ensemblid"),
    "transcriptid",
}
_SHOWN = 5  # names of columns that a sentence lists

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Matrix:
    """Values (samples × genes, float32) with the genes' ids as they stand in the file."""

    values: np.ndarray
    ids: np.ndarray
    samples: list[str]
    layout: str
    columns: list[str] = field(default_factory=list)  # where the samples stand in the file
    refusals: dict[str, str] = field(default_factory=dict)  # sample: reason; its values are NaN
    sole_columns: dict[str, str] = field(
        default_factory=dict
    )  # sample: column of another name, the only one
    lacks_line_end: bool = False  # the file may be cut short


def is_annotation(name: str) -> bool:
    """Whether a column of this name describes genes."""
    return _plain_name(name) in _IDS or is_description(name)


def is_description(name: str) -> bool:
    """Whether a column of this name describes genes, but does not name them."""
    return _plain_name(name) in _DESCRIPTIONS


def _plain_name(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


class Request:
    """Samples wanted from a file, and the reasons why some cannot be read.

    wanted: column that the sheet names for each sample ('' = none), or None for all samples.
    keep: whether a sample that cannot be read is refused alone; otherwise it is an InputError.
    """

    def __init__(self, path: Path, wanted: Mapping[str, str] | None, keep: bool) -> None:
        self.path = path
        self.wanted_columns = wanted
        self.refuses_alone = keep
        self.refusals: dict[str, str] = {}
        self.columns: dict[str, str] = {}
        self.sole_columns: dict[str, str] = {}

    def refuse(self, sample: str, sentence: str) -> None:
        """Leave a sample out, or raise InputError if samples are not refused alone."""
        if not self.refuses_alone:
            raise InputError(sentence)
        self.refusals.setdefault(sample, str(InputError(sentence)))

    def build_matrix(
        self,
        found: Mapping[str, np.ndarray],
        ids: np.ndarray,
        layout: str,
        lacks_line_end: bool = False,
    ) -> Matrix:
        """The matrix with a row for each sample wanted, NaN if it was refused."""
        samples = list(found) if self.wanted_columns is None else list(self.wanted_columns)
        values = np.full((len(samples), len(ids)), np.nan, dtype=np.float32)
        for row, sample in enumerate(samples):
            if (column := found.get(sample)) is not None:
                values[row] = column
        columns = [self.columns.get(sample, sample) for sample in samples]
        return Matrix(
            values, ids, samples, layout, columns, self.refusals, self.sole_columns, lacks_line_end
        )

    def choose_columns(
        self,
        available: Mapping[str, int],
        others: Mapping[str, int],
        ids: Callable[[], Collection[str]],
        nameless: str = "",
        unread: Collection[str] = (),
        above: str = "",
    ) -> dict[str, int]:
        """{sample: position} of the samples wanted that the file has.

        others: columns that are read only if the sheet names them.
        ids: shows a transposed file. nameless: which column of a file of one sample is read, if the
        file does not name its sample. unread: columns of such a file that are not read.
        above: the name above the ids.
        """
        if self.wanted_columns is None:
            self.columns = {name: name for name in available}
            return dict(available)
        named = (written or sample for sample, written in self.wanted_columns.items())
        if above and above in named and above not in {*available, *others}:
            raise InputError(
                f"{self.path}: {above!r}, a sample of the sheet, stands above the ids: names are "
                "moved by one; write 'gene' above the ids, and each name above its values."
            )
        chosen: dict[str, int] = {}
        taken: set[int] = set()
        for sample, written in self.wanted_columns.items():
            name = written or sample
            position = available.get(name, others.get(name))
            if position is None and not written and len(self.wanted_columns) == len(available) == 1:
                name, position = next(iter(available.items()))
                if not nameless:
                    self.sole_columns[sample] = name
                    log.warning(
                        "%s: sample %s is read from the only column, %r", self.path, sample, name
                    )
            if position is None:
                if name in unread:
                    self.refuse(
                        sample, f"{self.path}: its column {name!r} is not read: {nameless}."
                    )
                else:
                    self.refuse(sample, self._describe_absence(name, available, ids, nameless))
            elif position in taken:
                self.refuse(sample, f"{self.path}: the same column is wanted twice, {name!r}.")
            else:
                chosen[sample] = position
                taken.add(position)
                self.columns[sample] = name
        return chosen

    def _describe_absence(
        self,
        name: str,
        available: Mapping[str, int],
        ids: Callable[[], Collection[str]],
        nameless: str,
    ) -> str:
        if nameless:
            return f"{self.path}: there is no column {name!r}; {nameless}."
        genes = ids()
        if name in genes:
            return (
                f"{self.path}: {name!r} stands in the first column; genes are expected in rows and "
                "samples in columns: transpose the matrix."
            )
        hint = suggest_nearest(name, available) or " Correct the column in the sheet."
        if len(available) > 10 * len(genes):
            hint = f" It has {len(genes):,} rows: if those are the samples, transpose the matrix."
        shown = ", ".join(map(repr, list(available)[:_SHOWN]))
        more = ", …" if len(available) > _SHOWN else ""
        return (
            f"{self.path}: there is no column {name!r} among its {len(available):,} samples"
            f"{shown and f' ({shown}{more})'}.{hint}"
        )


def positions_by_name(path: Path, names: Sequence[str], positions: Sequence[int]) -> dict[str, int]:
    """{name: position}; InputError for a name that occurs twice."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(
            f"{path}: the column {repeated[0]!r} occurs {names.count(repeated[0])} times; give "
            "each sample a column of its own."
        )
    return dict(zip(names, positions, strict=True))
