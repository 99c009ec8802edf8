"""Read counts of a recount3 project: the files that recount3's own package names."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from recount3 import R3ResourceDescription

from tissuestate.errors import InputError
from tissuestate.files import atomic
from tissuestate.reference.download import fetch_file

# Three mirrors hold the same files; this one answers by https.
MIRROR = "https://recount-opendata.s3.amazonaws.com/recount3/release/"
ANNOTATION = "G026"  # GENCODE 26, recount3's own choice for human genes
READ_LENGTH = "star.average_mapped_length"


def fetch_project(data_source: str, project: str, target: str | Path) -> None:
    """Write genes × samples of read counts as Parquet; nothing is left at `target` on failure.

    recount3 sums coverage over the bases of a gene. Divided by the average length of a sample's
    mapped reads and rounded this is its number of reads (Wilks et al. 2021, `compute_read_counts`).
    Samples are named as in recount3 (`external_id`). The environment variable RECOUNT3_URL
    names another mirror.

    Raises InputError if there is no such project, or its files are damaged or do not fit.
    """
    mirror = os.environ.get("RECOUNT3_URL", MIRROR).rstrip("/")
    about = {"organism": "human", "data_source": data_source, "project": project}
    try:
        sums = R3ResourceDescription(
            resource_type="count_files_gene_or_exon",
            genomic_unit="gene",
            annotation_extension=ANNOTATION,
            **about,
        )
        quality = R3ResourceDescription(
            resource_type="metadata_files", table_name="recount_qc", **about
        )
    except ValueError as error:
        raise InputError(
            f"recount3://{data_source}/{project}: {error}; expected gtex, tcga or sra, and a "
            "project."
        ) from error
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent) as folder:
        coverage, lengths = (
            _fetch_table(f"{mirror}/{resource.url_path()}", Path(folder))
            for resource in (sums, quality)
        )
    counts = read_counts(coverage, lengths, f"recount3://{data_source}/{project}")
    with atomic(target) as temporary:
        counts.to_parquet(temporary)


def _fetch_table(url: str, folder: Path) -> pd.DataFrame:
    file = folder / Path(url).name
    fetch_file(url, file)
    try:
        return pd.read_csv(file, sep="\t", comment="#", index_col=0)
    except (EOFError, OSError, ValueError) as error:
        raise InputError(f"{url}: not a readable table ({error}).") from error


def read_counts(sums: pd.DataFrame, quality: pd.DataFrame, name: str) -> pd.DataFrame:
    """Read counts, genes × samples, of sums of coverage and recount3's table of quality."""
    missing = {"external_id", READ_LENGTH} - set(quality.columns)
    if missing:
        raise InputError(f"{name}: its table of quality lacks {', '.join(sorted(missing))}.")
    lengths = quality.set_index("external_id")[READ_LENGTH].reindex(sums.columns)
    lacking = lengths.index[~(lengths > 0)]
    if len(lacking):
        raise InputError(
            f"{name}: {len(lacking)} of {len(lengths)} samples have no average length of mapped "
            f"reads, the first of them {lacking[0]!r}; leave the project out."
        )
    return (sums / lengths).round().astype("float32").rename_axis("gene")
