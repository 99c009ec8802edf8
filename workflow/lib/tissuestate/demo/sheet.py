"""The demo cohort's sample sheet: its donors, their specimens, and the studies that sequenced them.

Two studies: `atlas` collects mostly healthy donors, `oncology` mostly patients, as GTEx and TCGA
do, and each lab has its own gene-specific bias. Unlike those two, the studies cross: each has some
samples of every state, and one specimen in each class was sequenced by both. Without that, study
and disease state could not be distinguished, and no correction could be shown to work.
"""

import csv
import gzip
import io
import sys
from pathlib import Path

import pandas as pd

from tissuestate.demo.genome import GTF_HEAD
from tissuestate.errors import InputError
from tissuestate.text import read_text

SUBTYPES = {"kidney": ("kich", "kirc"), "liver": (), "lung": ("luad", "lusc"), "thyroid": ()}
LABS = {"atlas": "lab_north", "oncology": "lab_south"}
SPECIMENS = 5  # in each class of state, tissue and subtype
TWO_ORGANS = {"liver": "kidney", "thyroid": "lung"}  # the same donors give to both
SINGLE_END = ("A304-LUN", "P205-T")
TWO_LANES = ("A103-KID", "P304-T")
REVERSE = ("A403-THY", "P103-T", "P405-N")
UNSTATED = ("A203-LIV", "P402-T")  # unstranded; the sheet says auto
READS = "results/demo/reads"
USERS_SHEET = "config/samples.tsv"  # where users of Snakemake put theirs


def demo_sheet() -> pd.DataFrame:
    """The sheet of 84 samples, all columns strings, '' if a cell is empty."""
    rows = []
    for number, (tissue, subtypes) in enumerate(SUBTYPES.items(), start=1):
        patients: list[list[tuple[str, str]]] = []
        for block, subtype in enumerate(subtypes or ("",)):
            donors = [f"P{number}{block * SPECIMENS + j + 1:02d}" for j in range(SPECIMENS)]
            patients.append([(donor, subtype) for donor in donors])
            for position, donor in enumerate(donors):
                rows += _specimen_rows(
                    position, "oncology", donor, "T", "neoplastic", tissue, subtype
                )
        # Adjacent tissue comes from patients with a tumour in the cohort, all but the first.
        beside = [patients[j % len(patients)][j][0] for j in range(SPECIMENS)]
        beside[0] = f"P{number}90"
        for position, donor in enumerate(beside):
            rows += _specimen_rows(position, "oncology", donor, "N", "peri-neoplastic", tissue, "")
        organ = tissue[:3].upper()
        for position in range(SPECIMENS):
            giver = TWO_ORGANS.get(tissue, tissue) if position == 1 else tissue
            donor = f"A{[*SUBTYPES].index(giver) + 1}{position + 1:02d}"
            rows += _specimen_rows(position, "atlas", donor, organ, "non-neoplastic", tissue, "")
    return pd.DataFrame(rows).sort_values("sample", ignore_index=True)


def check_no_other_sheet(sheet: str | Path) -> None:
    """Raise InputError if the user has a sheet in the usual place, which the demo does not read."""
    users = Path(USERS_SHEET)
    if users.is_file() and not (Path(sheet).exists() and users.samefile(sheet)):
        raise InputError(
            f"{USERS_SHEET} is there{_first_file_named(users)}, but this run is the demo, which "
            f"reads {sheet}. For your samples, name your own config with --configfile (samples: "
            f"{USERS_SHEET}, demo: null; see README.md); to run the demo all the same, do so in "
            "another folder."
        )


def check_own_folder(folder: str | Path) -> None:
    """Raise InputError if the demo's folder is a link, or holds another genome or annotation."""
    folder = Path(folder)
    for place in (folder, folder / "reads"):
        if place.is_symlink():
            raise InputError(f"{place} is a link; the demo writes into a folder of its own there.")
    annotation = folder / "annotation.gtf"
    ours = annotation.is_file() and annotation.read_bytes()[: len(GTF_HEAD)] == GTF_HEAD.encode()
    marks = {"annotation.gtf": ours, "genome.fa": ours}
    for name, head in (("truth_samples.tsv", b"sample\t"), ("truth_genes.tsv", b"gene_id\t")):
        marks[name] = (folder / name).is_file() and (folder / name).read_bytes().startswith(head)
    for name, is_ours in marks.items():
        path = folder / name
        if path.is_symlink() or (path.exists() and not is_ours):
            raise InputError(
                f"{path} was not made by the demo, which would write over it; move it elsewhere."
            )


def check_simulated(sheet: pd.DataFrame, folder: str | Path) -> None:
    """Raise InputError unless all that the demo would write are files of its own.

    `sheet` is validated, `folder` is where the reads of this run are simulated: `READS` below the
    prefix of a module. A file elsewhere is refused, and so is an existing file in that folder that
    is not simulated.
    """
    folder = Path(folder)
    for row in sheet.itertuples():
        for name in filter(None, f"{row.fastq_1},{row.fastq_2}".split(",")):
            path = Path(name)
            if path.parent != Path(READS) or "://" in name:
                raise InputError(
                    f"sample {row.sample!r} has {name!r}, but this run is the demo, which makes "
                    f"all its reads, in {READS}, and reads no others. For your samples, set demo: "
                    "null and name your genome and annotation under reference."
                )
            _check_simulated(folder / path.name, row.sample)


def _check_simulated(path: Path, sample: str) -> None:
    """Raise InputError if a file exists that `tissuestate.demo.reads` did not write."""
    if not (path.exists() or path.is_symlink()):
        return
    try:
        with gzip.open(path, "rb") as lines:
            ours = not path.is_symlink() and lines.read(len(sample) + 2) == f"@{sample}:".encode()
    except (OSError, EOFError):
        ours = False
    if not ours:
        raise InputError(
            f"{path} was not made by the demo, which would write over it; move it elsewhere."
        )


def _first_file_named(sheet: Path) -> str:
    """' and names FILE' with the first file that a sheet names; '' if it cannot be read."""
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(sheet)), delimiter="\t"))
    except (InputError, csv.Error):
        return ""
    for row in rows:
        for column in ("fastq_1", "bam", "sra", "matrix"):
            if row.get(column):
                return f" and names {row[column].split(',')[0]!r}"
    return ""


def _specimen_rows(
    position: int, home: str, donor: str, part: str, state: str, tissue: str, subtype: str
) -> list[dict[str, str]]:
    """Rows of one specimen: the first of a class goes to both studies, the last to the other."""
    specimen = f"{donor}-{part}"
    away = next(study for study in LABS if study != home)
    studies = {0: (home, away), SPECIMENS - 1: (away,)}.get(position, (home,))
    rows = []
    for study in studies:
        sample = specimen if study == studies[0] else f"{specimen}-{study}"
        lanes = ("_L1", "_L2") if sample in TWO_LANES else ("",)
        first, second = (
            ",".join(f"{READS}/{sample}{lane}_{mate}.fastq.gz" for lane in lanes) for mate in (1, 2)
        )
        rows.append(
            {
                "sample": sample,
                "donor": donor,
                "specimen": specimen,
                "study": study,
                "source": LABS[study],
                "disease_state": state,
                "tissue": tissue,
                "subtype": subtype,
                "strandedness": _stated_strandedness(sample),
                "fastq_1": first,
                "fastq_2": "" if sample in SINGLE_END else second,
            }
        )
    return rows


def _stated_strandedness(sample: str) -> str:
    """The strandedness that the sheet states for a sample."""
    if sample in REVERSE:
        return "reverse"
    return "auto" if sample in UNSTATED else "none"


if __name__ == "__main__":
    demo_sheet().to_csv(Path(sys.argv[1]), sep="\t", index=False, lineterminator="\n")
