"""Turn the tables of TCGA, GTEx and other laboratories into one sample sheet of this workflow.

Usage: laboratories_sheet.py FOLDER_OF_DATA OUTPUT.tsv
"""

import sys
from pathlib import Path

import pandas as pd
from real_sheet import real_sheet
from tissuestate.labels import HEADS, OTHER
from tissuestate.sheet.classes import ClassTable

ROOT = Path(__file__).parents[1]
CLASSES = ROOT / "resources" / "classes.tsv"
DOUBTS = (
    ROOT / "benchmarks" / "external_doubts.tsv"
)  # samples whose label their profile contradicts
LEFT_OUT = {  # sets that must not be in the sheet, and why
    "tcga_cesc_ordinalbayes": "a panel of 2,009 genes, 250 of those that most samples have, from "
    "which the others are estimated badly: lung tumours then resemble these of the cervix",
}


def unit_of(name: str) -> str:
    """The sheet's unit for a unit of the data: log2_tpm is log2, fpkm normalised."""
    if name.startswith("log2_"):
        return "log2"
    return "count" if name in ("count", "pseudo_count") else "normalised"


def laboratories_sheet(data: str | Path) -> pd.DataFrame:
    """The sheet of tcga_gtex, tcga_gtex_more and external, matrices by path under `data`.

    With a path that is the same everywhere the sheet is, and so is the bundle trained on it.
    """
    data, classes = Path(data), ClassTable.read(CLASSES)
    first = real_sheet(data / "tcga_gtex")
    sheets = [first.assign(laboratory=first["study"])]
    for folder in ("tcga_gtex_more", "external"):
        path = data / folder / "samples.tsv"
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        sheets.append(_sheet_of(table, data / folder, classes))
    return pd.concat(sheets, ignore_index=True)


def _sheet_of(table: pd.DataFrame, folder: Path, classes: ClassTable) -> pd.DataFrame:
    # A sample of TCGA or GTEx is theirs, whoever quantified it.
    project = table["sample"].str.extract("^(TCGA|GTEX|GTEx)", expand=False).str.upper()
    laboratory = project.replace("GTEX", "GTEx").fillna(table["laboratory"])
    # Embryonal tumours grow in an organ, but are unlike each tumour of adults: no class.
    embryonal = table["what"].str.contains("Wilms|hepatoblastoma", case=False)
    known = table["tissue"].isin(classes.tissues) & ~embryonal
    # A pool has donors of its own. Other laboratories' donors may have the same name by chance; two
    # sets of one laboratory write the same donor in two ways.
    own = table["donor"].where(table["donor"] != "pool", table["sample"])
    others = table["laboratory"] + "." + own.str.lower().str.replace("_", ".")
    labels = table[list(HEADS)].where(known, "").assign(tissue=table["tissue"].where(known, OTHER))
    labels["subtype"] = labels["subtype"].where(labels["subtype"].isin(classes.subtypes), "")
    doubts = pd.read_csv(DOUBTS, sep="\t")["sample"]
    left_out = table["set"].isin(LEFT_OUT) | (table["sample"].isin(doubts) & ~embryonal)
    sheet = labels.assign(
        sample=table["sample"] + "." + table["set"],
        donor=own.where(project.notna(), others),
        specimen=table["sample"],
        study=laboratory,
        project="",
        laboratory=laboratory,
        source=table["set"],
        matrix=[str(folder / name) for name in table["file"]],
        column=table["sample"],
        unit=table["unit"].map(unit_of),
    )
    return sheet[~left_out]


if __name__ == "__main__":
    laboratories_sheet(sys.argv[1]).to_csv(sys.argv[2], sep="\t", index=False)
