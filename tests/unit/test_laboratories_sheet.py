"""The sheet of many laboratories: samples not in it have a reason, and it is valid."""

import pandas as pd
import pytest
from laboratories_sheet import CLASSES, DOUBTS, LEFT_OUT, laboratories_sheet
from tissuestate.cohort.split import split_samples
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.sheet import read_sheet


@pytest.fixture(scope="module")
def sheet(data, tmp_path_factory) -> pd.DataFrame:
    if not (data / "external").is_dir():
        pytest.skip(f"no matrices of other laboratories in {data}")
    path = tmp_path_factory.mktemp("sheet") / "samples.tsv"
    laboratories_sheet(data).to_csv(path, sep="\t", index=False)
    return read_sheet(path, ClassTable.read(CLASSES))


def test_no_sample_is_left_out_without_a_reason(sheet, data):
    tables = [pd.read_csv(data / name / "samples.tsv", sep="\t", dtype=str)
              for name in ("tcga_gtex_more", "external")]  # fmt: skip
    more = pd.concat(tables)
    doubts = pd.read_csv(DOUBTS, sep="\t").set_index("sample")["doubt"]
    absent = more[~(more["sample"] + "." + more["set"]).isin(sheet["sample"])]
    assert set(absent.loc[absent["set"].isin(LEFT_OUT), "set"]) == set(LEFT_OUT)
    doubted = set(absent.loc[~absent["set"].isin(LEFT_OUT), "sample"])
    assert doubted == set(doubts.index[~doubts.str.contains("of a child")])
    first = pd.read_csv(data / "tcga_gtex" / "samples.tsv", sep="\t", dtype=str)
    assert len(sheet) == len(first) + len(more) - len(absent)


def test_all_quantifications_of_tcga_and_gtex_are_of_one_laboratory_each(sheet):
    names = sheet["sample"].str.extract("^(TCGA|GTEX|GTEx)", expand=False).str.upper()
    assert (sheet.loc[names == "TCGA", "laboratory"] == "TCGA").all()
    assert (sheet.loc[names == "GTEX", "laboratory"] == "GTEx").all()
    assert sheet.groupby("donor")["laboratory"].nunique().max() == 1


def test_embryonal_tumours_and_tissues_without_a_class_are_background(sheet):
    background = split_samples(sheet) == "background"
    assert (background == (sheet["tissue"] == "other")).all()
    children = sheet[sheet["source"] == "stjude_solid"]
    assert set(children.loc[children["tissue"] != "other", "tissue"]) == {"thyroid"}
