"""RNAseqDB's matrices as a sheet."""

import pytest
from tissuestate.errors import InputError
from tissuestate.matrices.rnaseqdb import donor_of, read_file_table, rnaseqdb_sheet
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.sheet import read_sheet


@pytest.fixture(scope="module")
def table(root):
    return read_file_table(root / "resources" / "rnaseqdb.tsv")


def test_the_packaged_table_agrees_with_upstream(table, data):
    upstream = [
        line.split("\t") for line in (data / "rnaseqdb_upstream.tsv").read_text().splitlines()[1:]
    ]
    assert len(upstream) == len(table) == 52
    for path, blob in upstream:
        row = table.loc[path.rpartition("/")[2]]
        assert row["blob"] == blob
        assert row["url"].endswith(path)


def test_the_packaged_labels_are_classes(table, root):
    classes = ClassTable.read(root / "resources" / "classes.tsv")
    assert set(table["disease_state"]) == set(classes.states)
    assert set(table["tissue"]) == set(classes.tissues) - {"brain"}  # RNAseqDB has no brain
    assert set(table["subtype"]) - {""} == set(classes.subtypes) - {"gbm", "lgg"}
    for row in table[table["subtype"] != ""].itertuples():
        assert row.subtype in classes.subtypes_of[row.tissue]
        assert row.disease_state == "neoplastic"


def test_labels_agree_with_the_real_cohorts_table(table, data):
    lines = (data / "tcga_gtex/samples.tsv").read_text().splitlines()
    header = lines[0].split("\t")
    for line in lines[1:]:
        row = dict(zip(header, line.split("\t"), strict=True))
        if row["source"] == "rnaseqdb":
            shipped = table.loc[row["file"].removeprefix("rnaseqdb/")]
            for label in ("study", "disease_state", "tissue", "subtype"):
                assert shipped[label] == row[label]


def write(folder, name, barcodes):
    path = folder / name
    path.write_text("\t".join(["Hugo_Symbol", "Entrez_Gene_Id", *barcodes]) + "\nA1BG\t1\t2\t3\n")
    return path


def test_sheet_of_two_files(table, root, tmp_path):
    tumours = ["TCGA-AA-0001-01A-11R-A00A-07", "TCGA-AA-0002-01A-11R-A00A-07"]
    files = [
        write(tmp_path, "coad-rsem-count-tcga-t.txt.gz", tumours),
        write(tmp_path, "read-rsem-count-tcga-t.txt.gz", [*tumours[:1], "TCGA-AA-0003-01A"]),
        write(tmp_path, "colon-rsem-count-gtex.txt.gz", ["GTEX-X1-0001", "GTEX-X2-0001"]),
    ]
    sheet = rnaseqdb_sheet(files, table)
    assert sheet["sample"].is_unique
    assert sheet["sample"][2] == tumours[0] + ".2"
    assert sheet["column"][2] == sheet["specimen"][2] == tumours[0]
    assert list(sheet["donor"])[-3:] == ["TCGA-AA-0003", "GTEX-X1", "GTEX-X2"]
    sheet.to_csv(tmp_path / "sheet.tsv", sep="\t", index=False)
    checked = read_sheet(tmp_path / "sheet.tsv", ClassTable.read(root / "resources/classes.tsv"))
    assert list(checked["subtype"]) == ["coad", "coad", "read", "read", "", ""]


def test_real_files(table, data, root, tmp_path):
    files = sorted((data / "tcga_gtex/rnaseqdb").glob("*.gz"))
    rnaseqdb_sheet(files, table).to_csv(tmp_path / "sheet.tsv", sep="\t", index=False)
    checked = read_sheet(tmp_path / "sheet.tsv", ClassTable.read(root / "resources/classes.tsv"))
    listed = (data / "tcga_gtex/samples.tsv").read_text().count("\trnaseqdb/")
    assert len(checked) == listed


def test_unknown_file_and_sample_name_are_refused(table, tmp_path):
    with pytest.raises(InputError, match="not one of the table's files"):
        rnaseqdb_sheet([write(tmp_path, "skin.txt", ["TCGA-1-2", "TCGA-1-3"])], table)
    with pytest.raises(InputError, match="neither a GTEx name nor a TCGA barcode"):
        donor_of("x", "S1")
