"""A sheet of all samples of some files, as the workflow reads one."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tissuestate.command.files import GivenFile
from tissuestate.errors import InputError
from tissuestate.matrices.gene_map import GeneMap
from tissuestate.matrices.genes import ENSEMBL
from tissuestate.matrices.layouts import name_of_sample
from tissuestate.matrices.read import Contents, list_contents
from tissuestate.sheet.sheet import COLUMNS
from tissuestate.text import READS, detect_kind, open_content

# Columns of a table of differential expression, without signs and case.
_RESULTS = {"log2foldchange", "logfc", "lfcse", "basemean", "pvalue", "padj", "adjpval", "fdr"}
_RESULTS |= {"logcpm", "aveexpr", "qvalue"}
# Names of a file's only column that say what was measured, not of whom.
_MEASURE = re.compile(
    r"(?i)(raw|read|gene|expected|est|normali[sz]ed|unstranded|log2?)?[\W_]*"
    r"(counts?|reads?|tpm|fpkm|rpkm|cpm|expression|expr|values?|abundance)"
)
_LONGEST = 1 << 16  # bytes of the first line of a sample sheet
MANY = 50  # columns from which on names of genes are no names of samples
_SUFFIXES = re.compile(r"(?i)(\.(gz|tsv|txt|csv|tab|gct|parquet|h5ad|sf|results|out))+$")


def list_samples(
    files: Sequence[GivenFile], unit: str, gene_map: GeneMap
) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    """A sheet with one row per sample, why samples have no readable file, and each file's layout.

    The sheet is as `read_sheet` gives it, in the order of the files and their columns. A file that
    cannot be read is a sample of its own. Equal names are told apart by those of their files.
    """
    rows: list[dict[str, str]] = []
    names: list[list[str]] = []
    flaws: dict[int, str] = {}
    layouts: dict[str, str] = {}
    for file in files:
        try:
            contents = _list_columns(file, unit, gene_map)
            layouts[file.name] = contents.layout
            columns = contents.columns
        except InputError as error:
            flaws[len(rows)] = str(error).replace(str(file.path), file.name)
            columns = [""]
        for column in columns:
            rows.append({"matrix": file.name, "column": column})
            names.append(_possible_names(file, column, len(columns) == 1))
    samples = _tell_apart(names)
    sheet = pd.DataFrame(rows).reindex(columns=list(COLUMNS), fill_value="")
    sheet = sheet.assign(sample=samples, origin="matrix", unit=unit, strandedness="auto")
    return sheet, {samples[row]: flaw for row, flaw in flaws.items()}, layouts


def _list_columns(file: GivenFile, unit: str, gene_map: GeneMap) -> Contents:
    """The layout and columns of samples of a file. Raises InputError if it has none."""
    if file.flaw:
        raise InputError(file.flaw)
    if file.path.is_file() and (kind := detect_kind(file.path)).name in READS:
        raise InputError(
            f"{file.name}: {kind}; counts are expected: name the reads in a sample sheet, and run "
            "snakemake classify."
        )
    if file.path.is_file() and _is_sheet(file.path):
        raise InputError(
            f"{file.name}: a sample sheet; give the files that it names, or run snakemake classify "
            "--config samples=FILE."
        )
    contents = list_contents(file.path, unit)
    columns = contents.columns
    if not columns:
        raise InputError(f"{file.name}: no columns of samples beside the ids.")
    plain = {name: re.sub(r"[\W_]+", "", name.lower()) for name in columns}
    if results := [name for name in columns if plain[name] in _RESULTS]:
        raise InputError(
            f"{file.name}: a table of differential expression (it has {', '.join(results)}); "
            "expected one column per sample: give the counts that it was made of."
        )
    if len(columns) >= MANY:
        some = columns[:: len(columns) // MANY]
        symbols = set(gene_map.table["symbol"])  # its look-ups also load aliases, which take time
        known = [name for name in some if name in symbols or ENSEMBL.fullmatch(name)]
        if len(known) > len(some) / 2:
            raise InputError(
                f"{file.name}: its columns are genes ({', '.join(known[:3])}, …); expected one "
                "column per sample: transpose the table."
            )
    return contents


def _is_sheet(path: Path) -> bool:
    """Whether a table has the columns of a sample sheet."""
    with open_content(path) as stream:
        cells = stream.readline(_LONGEST).decode(errors="replace").split()
    return "sample" in cells and not {"matrix", "fastq_1", "bam", "sra"}.isdisjoint(cells)


def _possible_names(file: GivenFile, column: str, is_only: bool) -> list[str]:
    """Names for a sample, the best first, each more particular than the one before."""
    path = Path(file.path.name) if "://" in file.name else Path(file.name)
    stem = _SUFFIXES.sub("", path.name) or path.name
    folder = path.absolute().parent.name
    own = [name_of_sample(path) or stem, stem, f"{folder}.{stem}"]
    if not column or (is_only and _MEASURE.fullmatch(column)):
        return own
    return [column, *(f"{name}.{column}" for name in own)]


def _tell_apart(names: Sequence[Sequence[str]]) -> list[str]:
    """For each sample its first name that no other has; the last names are numbered."""
    levels = [0] * len(names)
    while True:
        chosen = [all_[level] for all_, level in zip(names, levels, strict=True)]
        counts = pd.Series(chosen).value_counts()
        longer = [
            i for i, name in enumerate(chosen) if counts[name] > 1 and levels[i] + 1 < len(names[i])
        ]
        if not longer:
            break
        for i in longer:
            levels[i] += 1
    taken: set[str] = set()
    for i, name in enumerate(chosen):
        number = 1
        while chosen[i] in taken:
            number += 1
            chosen[i] = f"{name}-{number}"
        taken.add(chosen[i])
    return chosen
