"""Counts and matrices of many sources merged into one cohort on the genes that they share."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from tissuestate.cohort.checks import check_copies, check_measured, screen_cohort, screen_file
from tissuestate.errors import InputError
from tissuestate.labels import HEADS, has_class, plain_unit
from tissuestate.matrices.gene_ids import describe_id_problem
from tissuestate.matrices.gene_map import GeneMap
from tissuestate.matrices.gene_rows import MappedRows
from tissuestate.matrices.genes import KINDS, Recognition
from tissuestate.matrices.read import Missing, read_counts, read_matrix
from tissuestate.matrices.sex import express_sex, find_genes
from tissuestate.sheet.classes import ClassTable

if TYPE_CHECKING:
    from anndata import AnnData

OBS = (
    *("donor", "sex", "specimen", "study", "project", "laboratory", "source"),
    *("disease_state", "tissue", "subtype", "origin", "unit", "split"),
)
LEAST_RECOGNISED = 0.2  # share of a file's gene ids: fewer are of another species, or no gene ids
# `most` keeps the genes that this share of the training samples measure. Of samples left out by
# laboratory, genes that fewer measure told no more, and made every stage slower.
MOST = 0.8
READS = "reads"  # the data set of all samples counted by this workflow

log = logging.getLogger(__name__)


@dataclass
class _Part:
    """Rows of the cohort that one file contributes, on its own genes."""

    dataset: str
    rows: np.ndarray  # positions in the cohort
    values: np.ndarray  # rows × symbols, float32
    symbols: np.ndarray  # sorted, unique
    recognition: Recognition
    sex: np.ndarray  # of each row, as it is expressed


def keep_samples(samples: pd.DataFrame, quality: pd.DataFrame | None) -> pd.DataFrame:
    """The samples that passed quality control; samples from matrices, which have none, stay.

    Raises InputError if a class that is left among validation or test samples has no training
    sample any more, and if no sample is left.
    """
    kept = samples
    if quality is not None:
        dropped = set(quality.loc[~quality["kept"].astype(bool), "sample"])
        kept = samples[~samples["sample"].isin(dropped)]
        log.info("%d of %d samples pass quality control", len(kept), len(samples))
    if kept.empty:
        raise InputError(
            "no sample passes quality control; see the reasons in quality/samples.tsv."
        )
    known = kept[has_class(kept)]
    training = kept[kept["split"] == "train"]
    for head in HEADS:
        lost = set(known[head]) - {""} - set(training[head])
        for name in sorted(lost):
            count = (known[head] == name).sum()
            raise InputError(
                f"{head} {name!r} has {count} sample(s) to validate or test and, after quality "
                "control, none to train with; add samples of it, leave it out of the sheet, or "
                "change the seed of the split."
            )
        for name in sorted(set(samples[head]) - {""} - set(kept[head])):
            log.warning("no sample of %s %r passes quality control", head, name)
    return kept


def assemble_cohort(
    samples: pd.DataFrame,
    gene_map: GeneMap,
    counts: Mapping[str, str | Path] | None = None,
    expected_genes: int | None = None,
    missing: Missing = "error",
    genes: Literal["common", "most"] = "common",
) -> tuple["AnnData", pd.DataFrame]:
    """Merge all samples on the genes common to all data sets, or `choose_genes` for `most`.

    `samples` are rows of the validated sheet with `split`; `counts` has the count table of each
    sample that comes from reads. A data set is a source of matrices, or all samples from reads
    together. Ids become symbols, rows of one symbol are summed (on the linear scale), symbols
    stand in alphabetical order.

    Returns the cohort (samples × genes, float32, each sample in its own unit, NaN for genes that
    its file does not have) and a table with one row per data set: dataset, genes, recognised (ids),
    id_type, common_without (size of the intersection without this data set).

    Raises InputError for unreadable files, values that cannot be of the unit stated, a data set of
    which no gene id is known, an empty intersection, a sample that measures too few of the genes,
    and a copy of another donor's sample.
    """
    import anndata

    counts = counts or {}
    reader = _Reader(gene_map, missing)
    parts = reader.read_matrices(samples)
    rows = np.flatnonzero(samples["sample"].isin(list(counts))).tolist()
    reads = samples["sample"].iloc[rows].tolist()
    absent = samples.loc[(samples["origin"] != "matrix") & ~samples["sample"].isin(reads), "sample"]
    if len(absent):
        raise InputError(f"sample {absent.iloc[0]!r} comes from reads and has no count table.")
    first = reader.read_count_table(reads[0], Path(counts[reads[0]]), rows[0]) if reads else None
    files = [*parts, *([first] if first else [])]
    table = _gene_table(files)
    if genes == "common":
        shared = set.intersection(*(set(part.symbols.tolist()) for part in files))
        symbols = np.array(sorted(shared), dtype=str)
        _log_genes(table, len(symbols), expected_genes)
    else:
        trains = (samples["split"] == "train").to_numpy()
        if first:
            first.rows = np.array(rows)
        symbols = choose_genes([p.symbols for p in files], [trains[p.rows].sum() for p in files])

    values = np.full((len(samples), len(symbols)), np.nan, dtype=np.float32)
    sex = np.full(len(samples), "", dtype=object)
    files.clear()  # a part is freed once its values are in the cohort
    while parts:
        _place(values, sex, parts.pop(), symbols)
    for row, name in zip(rows, reads, strict=True):
        _place(values, sex, reader.read_count_table(name, Path(counts[name]), row), symbols)
    check_measured(values, samples, counts)
    samples = samples.assign(unit=samples["unit"].map(plain_unit))
    screen_cohort(values, samples, counts)
    check_copies(values, samples)
    obs = samples.set_index("sample")[list(OBS)].rename_axis(None).assign(sex_expressed=sex)
    cohort = anndata.AnnData(values, obs=obs, var=gene_map.annotate(symbols.tolist()))
    return cohort, table


def choose_genes(genes: Sequence[np.ndarray], samples: Sequence[int]) -> np.ndarray:
    """The genes that at least 80 % of the training samples measure, sorted.

    genes: those of each file. samples: its training samples. Raises InputError if none is left.
    """
    weights = np.repeat(np.array(samples, dtype=float), [len(names) for names in genes])
    names, places = np.unique(np.concatenate(genes), return_inverse=True)
    kept = names[np.bincount(places, weights) >= MOST * sum(samples)]
    if not len(kept):
        raise InputError("no gene is common to most training samples; correct their gene ids.")
    log.info(
        "%s genes are kept, of %s: those that at least %.0f %% of the %s training samples measure",
        *(f"{len(kept):,}", f"{len(names):,}", 100 * MOST, f"{sum(samples):,}"),
    )
    return kept


def _place(values: np.ndarray, sex: np.ndarray, part: _Part, genes: np.ndarray) -> None:
    """Write a part's values of `genes`, and its sexes, into its rows of the cohort's."""
    where = np.searchsorted(part.symbols, genes).clip(max=len(part.symbols) - 1)
    present = np.flatnonzero(part.symbols[where] == genes)
    values[np.ix_(part.rows, present)] = part.values[:, where[present]]
    sex[part.rows] = part.sex


def training_classes(cohort: "AnnData", classes: ClassTable) -> dict:
    """The classes present among training samples: see `ClassTable.classes_present`."""
    obs = cohort.obs.astype(str)
    return classes.classes_present(obs[obs["split"] == "train"])


class _Reader:
    """Reader of files, genes as symbols; equal lists of ids are mapped once."""

    def __init__(self, gene_map: GeneMap, missing: Missing) -> None:
        self.gene_map = gene_map
        self.missing = missing
        self._mapped: dict[bytes, MappedRows] = {}
        self._counted: tuple[pa.StringArray, MappedRows] | None = None

    def read_matrices(self, samples: pd.DataFrame) -> list[_Part]:
        """A part for each matrix file, unit and strandedness."""
        rows = samples.reset_index(drop=True)
        rows = rows[rows["origin"] == "matrix"]
        parts = []
        for keys, group in rows.groupby(["source", "matrix", "unit", "strandedness"], sort=False):
            source, path, unit, strandedness = keys
            matrix = read_matrix(
                path,
                dict(zip(group["sample"], group["column"], strict=True)),
                unit=unit,
                missing=self.missing,
                strandedness=strandedness,
            )
            mapped, unit = self._map(matrix.ids), plain_unit(unit)
            screen_file(Path(path), matrix.samples, matrix.values, unit, mapped)
            _check_ids(Path(path), mapped)
            values = _collapse_rows(Path(path), mapped, matrix.values, unit)
            sex = express_sex(
                values, find_genes(mapped.symbols), matrix.values, [unit] * len(values)
            )
            parts.append(
                _Part(
                    source, group.index.to_numpy(), values, mapped.symbols, mapped.recognition, sex
                )
            )
        return parts

    def read_count_table(self, sample: str, path: Path, row: int) -> _Part:
        """The counts of one row of the cohort; every table must list the same genes."""
        ids, values = read_counts(path)
        if self._counted is None:
            mapped = self._map(ids.to_numpy(zero_copy_only=False).astype(str))
            _check_ids(path, mapped)
            self._counted = ids, mapped
        elif not self._counted[0].equals(ids):
            raise InputError(
                f"{path}: sample {sample!r} was counted on other genes than the samples before it; "
                "count all samples with one annotation."
            )
        mapped = self._counted[1]
        counts = _collapse_rows(path, mapped, values[None], "count")
        sex = express_sex(counts, find_genes(mapped.symbols), values[None], ["count"])
        return _Part(READS, np.array([row]), counts, mapped.symbols, mapped.recognition, sex)

    def _map(self, ids: np.ndarray) -> MappedRows:
        key = ids.tobytes()
        if key not in self._mapped:
            self._mapped[key] = MappedRows.from_ids(ids.tolist(), self.gene_map)
        return self._mapped[key]


def _check_ids(path: Path, mapped: MappedRows) -> None:
    """Log what the ids are. Raises InputError if too few are known."""
    found, left_out = mapped.recognition, mapped.recognition.describe_unknown()
    added = len(mapped.rows.repeated)
    log.info("%s: %s", path, found.describe())
    if added:
        log.info("%s: %s genes were added up from several ids", path, f"{added:,}")
    if found.n_recognised < LEAST_RECOGNISED * found.n_ids:
        raise InputError(
            f"{path}: {found.n_recognised:,} of its {found.n_ids:,} genes are known (they look "
            f"like {KINDS[found.kind]}, such as {mapped.ids[0]!r}); "
            f"{describe_id_problem(mapped.ids, found)}."
        )
    if left_out:
        log.info("%s: %s", path, left_out)


def _collapse_rows(path: Path, mapped: MappedRows, values: np.ndarray, unit: str) -> np.ndarray:
    """Samples × symbols; see `GeneRows.collapse`."""
    result, once = mapped.rows.collapse(values, [unit] * len(values))
    if once.any():
        log.warning(
            "%s: %s genes stand in several rows with the same values, as after a join of "
            "tables; these rows count once",
            path,
            f"{once.max():,}",
        )
    return result


def _gene_table(parts: list[_Part]) -> pd.DataFrame:
    genes_of: dict[str, set[str]] = {}
    for part in parts:
        names = set(part.symbols.tolist())
        genes_of[part.dataset] = genes_of.get(part.dataset, names) & names
    rows = []
    for dataset, genes in genes_of.items():
        found = [part.recognition for part in parts if part.dataset == dataset]
        kinds = sorted({recognition.kind for recognition in found})
        others = [names for name, names in genes_of.items() if name != dataset]
        rows.append(
            {
                "dataset": dataset,
                "genes": len(genes),
                "recognised": min(recognition.n_recognised for recognition in found),
                "id_type": kinds[0] if len(kinds) == 1 else "mixed",
                "common_without": len(set.intersection(*others)) if others else 0,
            }
        )
    columns = ["dataset", "genes", "recognised", "id_type", "common_without"]
    return pd.DataFrame(rows, columns=columns).sort_values("dataset", ignore_index=True)


def _log_genes(table: pd.DataFrame, common: int, expected: int | None) -> None:
    found = ", ".join(f"{r.dataset} {r.genes:,} ({KINDS[r.id_type]})" for r in table.itertuples())
    if common == 0:
        raise InputError(
            f"no gene is common to all data sets: {found}; leave one out or correct its ids."
        )
    log.info("%s genes are common to %d data set(s): %s", f"{common:,}", len(table), found)
    if expected is not None and common != expected:
        costs = table.sort_values("common_without", ascending=False)
        cost = [
            f"{row.dataset} {row.common_without - common:,}"
            for row in costs.itertuples()
            if row.common_without > common
        ]
        log.warning(
            "the gene intersection has %s genes, expected %s; genes lost to one data set alone: %s",
            f"{common:,}",
            f"{expected:,}",
            ", ".join(cost) or "none",
        )
