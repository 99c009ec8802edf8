"""The sample sheet: what is accepted, and the sentence for what is not."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tissuestate.errors import InputError
from tissuestate.labels import HEADS
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.content import check_files
from tissuestate.sheet.samples import read_samples
from tissuestate.sheet.sheet import COLUMNS, read_sheet

HEADER = "sample donor study source disease_state tissue subtype fastq_1 fastq_2 bam sra matrix"
ROWS = [
    "a1 d1 TCGA hospital neoplastic kidney kirc a1_1.fq.gz a1_2.fq.gz - - -",
    "a2 d2 TCGA hospital neoplastic kidney kirc L1_1.fq,L2_1.fq L1_2.fq,L2_2.fq - - -",
    "b1 d1 TCGA hospital peri-neoplastic kidney - - - b1.bam - -",
    "b2 d3 TCGA hospital peri-neoplastic kidney - - - - SRR1039508 -",
    "c1 d4 GTEx hospital non-neoplastic liver - single.fq - - - -",
    "c2 d5 GTEx hospital non-neoplastic liver - - - /data/c2.bam - -",
]


def tsv(rows: list[str], header: str = HEADER) -> str:
    """Rows written with spaces and '-' for an empty cell, as TSV."""
    lines = [[("" if cell == "-" else cell) for cell in line.split(" ")] for line in rows]
    return "\n".join("\t".join(line) for line in [header.split(" "), *lines]) + "\n"


@pytest.fixture(scope="module")
def classes(root: Path) -> ClassTable:
    return ClassTable.read(root / "resources" / "classes.tsv")


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str | bytes, name: str = "samples.tsv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_class_table_equals_that_of_the_paper(classes):
    assert len(classes.tissues) == 14
    assert len(classes.subtypes) == 11
    assert classes.states == ("non-neoplastic", "peri-neoplastic", "neoplastic")
    assert classes.subtypes_of["colon"] == ("coad", "read")
    assert classes.subtypes_of["liver"] == ()


def test_class_table_refuses_a_subtype_of_two_tissues(write):
    path = write("tissue\tsubtype\nlung\tx\nliver\tx\n")
    with pytest.raises(InputError, match=r"row 3: subtype 'x' is already listed under.*'lung'"):
        ClassTable.read(path)


def test_sheet_is_read_with_defaults(write, classes):
    sheet = read_sheet(write(tsv(ROWS)), classes)
    assert list(sheet.columns) == list(COLUMNS)
    assert list(sheet["origin"]) == ["fastq", "fastq", "bam", "sra", "fastq", "bam"]
    assert set(sheet["unit"]) == {"count"}
    assert set(sheet["strandedness"]) == {"auto"}
    assert list(sheet["specimen"]) == list(sheet["sample"])
    assert sheet.loc[1, "fastq_2"] == "L1_2.fq,L2_2.fq"
    assert classes.classes_present(sheet) == {
        "disease_state": ["non-neoplastic", "peri-neoplastic", "neoplastic"],
        "tissue": ["kidney", "liver"],
        "subtype": ["kirc"],
        "subtypes_of": {"kidney": ["kirc"]},
    }


def test_the_sex_may_be_stated(write):
    rows = [
        f"{row} {sex}"
        for row, sex in zip(ROWS, ["female", "male", "-", "-", "male", "-"], strict=True)
    ]
    sheet = read_sheet(write(tsv(rows, f"{HEADER} sex")))
    assert list(sheet["sex"]) == ["female", "male", "", "", "male", ""]
    new = read_sheet(write("sample\tbam\tsex\nx\tx.bam\tmale\n"), labelled=False)
    assert list(new["sex"]) == ["male"]
    for labelled in (True, False):
        path = write(tsv([f"{row} F" for row in ROWS], f"{HEADER} sex"))
        with pytest.raises(InputError, match="row 2, column sex: found 'F'; expected female or"):
            read_sheet(path, labelled=labelled)


@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("\n", "\t\t\n").encode() + b"\t\t\n\n",
        lambda text: text.replace("L1_1.fq,L2_1.fq", '"L1_1.fq, L2_1.fq "').encode(),
        lambda text: text.rstrip("\n").encode(),
    ],
    ids=["bom", "windows", "old mac", "empty columns", "spreadsheet quotes", "no last line end"],
)
def test_changes_by_spreadsheets_make_no_difference(disguise, write, classes):
    plain = read_sheet(write(tsv(ROWS)), classes)
    pd.testing.assert_frame_equal(read_sheet(write(disguise(tsv(ROWS)), "other"), classes), plain)


def test_several_sheets_are_read_as_one(write, classes):
    first, second = write(tsv(ROWS[:3]), "1.tsv"), write(tsv(ROWS[3:]), "2.tsv")
    whole = read_sheet(write(tsv(ROWS)), classes)
    pd.testing.assert_frame_equal(read_sheet([first, second], classes), whole)
    with pytest.raises(InputError, match=r"2\.tsv, row 2.*'a1' was already named in .*1\.tsv, row"):
        read_sheet([first, write(tsv(ROWS[:1]), "2.tsv")], classes)


def test_unlabelled_sheet_needs_sample_and_origin_only(write):
    sheet = read_sheet(write("sample\tbam\tmatrix\nx\tx.bam\t\ny\t\tm.tsv\n"), labelled=False)
    assert list(sheet["origin"]) == ["bam", "matrix"]
    assert list(sheet["column"]) == ["", ""]
    assert list(sheet["unit"]) == ["count", ""]
    assert list(sheet["donor"]) == ["x", "y"]


def edit(row: int, old: str, new: str) -> list[str]:
    assert old in ROWS[row]
    return [line.replace(old, new) if i == row else line for i, line in enumerate(ROWS)]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([*ROWS, ROWS[0]], r"row 8, column sample: 'a1' was already named in .*row 2"),
        (edit(1, "a2 d2", "A1 d2"), r"row 3.*'A1' differs only in case from 'a1'"),
        (edit(0, "kidney", "kidny"), r"row 2, column tissue: unknown 'kidny'.*mean 'kidney'\?"),
        (edit(0, "kidney", "pancreas"), r"unknown 'pancreas'; .* belongs into the class table"),
        (edit(0, "neoplastic", "tumour"), r"column disease_state: unknown 'tumour'; expected one"),
        (edit(0, "kirc", "kircc"), r"column subtype: unknown 'kircc'.*'kirc'\?"),
        (edit(0, "kirc", "luad"), r"'luad' is no subtype of kidney \(it has: kirc, kirp, kich\)"),
        (edit(2, "kidney -", "kidney kirc"), r"row 4.*only neoplastic samples have one"),
        (edit(4, "single.fq", "-"), r"row 6: none is given for sample 'c1'"),
        (edit(5, "- - /data", "x.fq - /data"), r"row 7: fastq and bam are given for sample 'c2'"),
        (edit(4, "single.fq -", "- single.fq"), r"column fastq_2: there is no fastq_1"),
        (edit(1, ",L2_2.fq", ""), r"2 files in fastq_1 and 1 in fastq_2"),
        (edit(3, "SRR1039508", "GSM12"), r"column sra: 'GSM12' is not a run accession"),
        (edit(0, "a1 ", "a;rm "), r"column sample: 'a;rm' is not a safe name"),
        (edit(0, "a1 ", "-a "), r"column sample: '-a' is not a safe name"),
        (edit(0, "d1", "$(id)"), r"column donor: '\$\(id\)' is not a safe name"),
        (edit(0, "d1", "-"), r"column donor: empty"),
        (edit(0, "d1", "NA"), r"row 2, column donor: found 'NA'; name the donor"),
        (edit(2, "d1", "D1"), r"row 4, column donor: 'D1' differs only in case from 'd1' in .*w 2"),
        (edit(4, "GTEx", "tcga"), r"row 6, column study: 'tcga' differs only in case from 'TCGA'"),
        (edit(2, "kidney -", "kidney NA"), r"column subtype: found 'NA'; leave it empty"),
        (edit(2, "peri-", "peri–"), r"unknown 'peri–neoplastic'.*mean 'peri-neoplastic'\?"),
        (edit(5, "/data/c2.bam", "`x`.bam"), r"column bam: '`x`.bam' is not a safe path"),
        (edit(5, "/data/c2.bam", "-x.bam"), r"column bam: '-x.bam' is not a safe path"),
        (edit(5, "/data/c2.bam", "b1.bam"), r"row 7: b1.bam is already used in .*row 4"),
        (edit(0, "a1_2", "a1_1"), r"row 2: a1_1.fq.gz is already used in .*row 2"),
        (edit(5, "c2.bam - -", "c2.bam - m.tsv"), r"bam and matrix are given"),
        (edit(5, "/data/c2.bam - -", "- - m.tsv"), r"row 7, column unit: found 'nothing'"),
        (ROWS[:5], r"disease_state 'non-neoplastic' has one sample only"),
        (edit(5, "d5", "d4"), r"disease_state 'non-neoplastic' has one donor only"),
        ([], r"no row below it"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_row_and_column(rows, sentence, write, classes):
    path = write(tsv(rows))
    with pytest.raises(InputError, match=sentence) as caught:
        read_sheet(path, classes)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_workbook_is_refused(tmp_path, classes):
    (tmp_path / "samples.tsv").write_bytes(b"PK\x03\x04" + bytes(60))
    with pytest.raises(InputError, match="an Excel workbook or a zip file; expected tab-separated"):
        read_sheet(tmp_path / "samples.tsv", classes)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the file is empty"),
        (tsv(ROWS).replace("donor", "patient"), "column 'donor' is missing"),
        (tsv(ROWS).replace("fastq_1", "fastq1"), r"unknown column 'fastq1'. Did you mean 'fastq_1"),
        (tsv(ROWS).replace("study", "donor"), "two columns are named 'donor'"),
        (tsv(ROWS).replace("\t", ","), "separate columns by tabs"),
        (tsv(ROWS).replace("\t", "  "), "separate columns by tabs"),
        (tsv(ROWS).encode("utf-16"), "UTF-16 text; expected .* save it as tab-separated UTF-8"),
        (tsv(ROWS).replace("a1", "ä1").encode("latin1"), r"text is not UTF-8 \(byte"),
        (tsv(ROWS) + 'x\t"y\n', "not tab-separated text"),
        (tsv(ROWS) + "x\t" * 13 + "\n", None),
        (
            tsv(ROWS)
            .replace("b1\td1\tTCGA", 'b1\td1\t"TCGA')
            .replace("c1\td4\tGTEx", 'c1\td4\tGTEx"'),
            "row 4: a quote .* closed rows below",
        ),
        (tsv(ROWS).removesuffix("/c2.bam\t\t\n"), "row 7: 10 cells and no line end"),
    ],
)
def test_a_broken_sheet_is_refused_in_one_sentence(text, sentence, write, classes):
    with pytest.raises(InputError, match=sentence):
        read_sheet(write(text), classes)


def test_the_laboratory_is_the_study_unless_it_is_named(write, classes):
    header = HEADER + " laboratory"
    rows = [f"{line} {name}" for line, name in zip(ROWS, "---AAB", strict=True)]
    sheet = read_sheet(write(tsv(rows, header)), classes)
    assert sheet["laboratory"].tolist() == ["TCGA", "TCGA", "TCGA", "A", "A", "B"]
    with pytest.raises(InputError, match=r"row 7, column laboratory: 'a' differs only in case"):
        read_sheet(write(tsv([*rows[:-1], rows[-1][:-1] + "a"], header)), classes)


def test_a_specimen_of_two_laboratories_is_refused(write, classes):
    header = HEADER + " specimen laboratory"
    rows = [f"{line} {name} {name}" for line, name in zip(ROWS, "abccde", strict=True)]
    rows[2], rows[3] = rows[2].replace("d1", "d3"), rows[3][:-1] + "f"
    with pytest.raises(InputError, match=r"row 5: specimen 'c' is from laboratory 'f' here and f"):
        read_sheet(write(tsv(rows, header)), classes)


BACKGROUND_ROW = "o1 d6 other hospital - other - - - o1.bam - -"


def test_a_sample_of_no_class_has_neither_state_nor_subtype(write, classes):
    sheet = read_sheet(write(tsv([*ROWS, BACKGROUND_ROW])), classes)
    assert sheet.loc[6, ["disease_state", "tissue", "subtype"]].tolist() == ["", "other", ""]
    assert "other" not in classes.classes_present(sheet)["tissue"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (BACKGROUND_ROW.replace("- other", "neoplastic other"), "column disease_state: found 'neo"),
        (BACKGROUND_ROW.replace("other - -", "other kirc -"), "column subtype: found 'kirc' for t"),
        (BACKGROUND_ROW.replace("- other", "- kidney"), "column disease_state: empty; give it a"),
        (BACKGROUND_ROW.replace("- other", "- Other"), "disease_state: empty"),
    ],
)
def test_what_goes_with_no_class_is_checked(row, sentence, write, classes):
    with pytest.raises(InputError, match=rf"row 8, {sentence}|row 8, column {sentence}"):
        read_sheet(write(tsv([*ROWS, row])), classes)


def test_no_tissue_of_the_class_table_is_called_other(write):
    for name in ("other", "Other"):
        with pytest.raises(InputError, match=f"row 3, column tissue: '{name}' is the word for"):
            ClassTable.read(write(f"tissue\tsubtype\nlung\t\n{name}\t\n"))


def test_a_specimen_of_two_donors_is_refused(write, classes):
    header = HEADER + " specimen"
    rows = [f"{line} s{min(i, 1)}" for i, line in enumerate(ROWS)]
    with pytest.raises(InputError, match=r"row 4: specimen 's1' is from donor 'd1' here and from"):
        read_sheet(write(tsv(rows, header)), classes)


CONTENT = {
    "fastq_1": "@r/1\nACGT\n+\nIIII\n",
    "fastq_2": "@r/2\nTTGT\n+\nIIII\n",
    "bam": gzip.compress(b"BAM\1"),
}


def test_missing_files_are_refused(write, classes, tmp_path):
    sheet = read_sheet(write(tsv(ROWS)), classes)
    with pytest.raises(InputError, match=r"sample 'a1', column fastq_1: there is no file 'a1_1"):
        check_files(sheet)
    for column in ("fastq_1", "fastq_2", "bam"):
        sheet[column] = [
            ",".join(
                str(write(CONTENT[column], Path(name).name)) for name in cell.split(",") if name
            )
            for cell in sheet[column]
        ]
    check_files(sheet)
    write("", "b1.bam")
    with pytest.raises(InputError, match=r"sample 'b1', column bam: .* is empty"):
        check_files(sheet)


def test_a_validated_sheet_is_equal_after_writing_and_reading(write, classes, tmp_path):
    rows = [line.replace("a1 d1", "NA d1").replace("b1 d1", "1.0 d1") for line in ROWS]
    sheet = read_sheet(write(tsv(rows)), classes)
    sheet.to_csv(tmp_path / "out.tsv", sep="\t", index=False)
    again = read_samples(tmp_path / "out.tsv")
    assert list(again.index) == list(sheet["sample"])
    pd.testing.assert_frame_equal(again.reset_index(drop=True), sheet)


CELL = st.text(alphabet=st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["", "kidney", "neoplastic", "kirc", "x.bam", "SRR1039508", '"', "\t", "a1", "\x00", "\ufeff"]
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=st.lists(st.lists(CELL, max_size=14), max_size=4), with_header=st.booleans())
@example(table=[['"', "0"], ["0", '"']], with_header=False)
def test_any_cells_are_read_or_raise_an_input_error(table, with_header, write, classes):
    rows = [HEADER.split(" ")] if with_header else []
    text = "\n".join("\t".join(line) for line in rows + table)
    for labelled in (True, False):
        try:
            sheet = read_sheet(write(text), classes, labelled)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert sheet["sample"].str.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*").all()


@settings(max_examples=200, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_raise_an_input_error(content, write, classes):
    with pytest.raises(InputError):
        read_sheet(write(content), classes)


def test_real_cohort(data, classes, tmp_path):
    from real_sheet import real_sheet

    real_sheet(data / "tcga_gtex").to_csv(tmp_path / "real.tsv", sep="\t", index=False)
    sheet = read_sheet(tmp_path / "real.tsv", classes)
    check_files(sheet)
    assert len(sheet) == 1825
    assert sheet["specimen"].duplicated().sum() == 389
    present = classes.classes_present(sheet)
    assert len(present["tissue"]) == 14
    assert len(present["subtype"]) == 10


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("1\t\n1.0\t\n", r"row 3, column tissue: '1\.0' is the same number as '1'"),
        ("lung\tluad\nlung\tLUAD\n", r"row 3, column subtype: 'LUAD' differs only in case"),
        ("lung\tNA\n", r"row 2, column subtype: found 'NA'; leave it empty"),
    ],
)
def test_two_spellings_of_a_class_are_refused(table, sentence, write):
    with pytest.raises(InputError, match=sentence):
        ClassTable.read(write("tissue\tsubtype\n" + table))


@pytest.mark.parametrize(
    ("one", "other"),
    [("101", "101.0"), ("7", "007"), ("100000", "1e5"), ("1.5", "1.50"), ("20", "2E1")],
)
@pytest.mark.parametrize("column", ["sample", "donor", "specimen", "study", "source", "project"])
def test_two_spellings_of_a_number_are_refused(column, one, other, write, classes):
    header = ["sample", "donor", "specimen", "study", "source", "project", *HEADS, "bam"]
    rows = [
        [f"s{i}", f"d{i}", f"p{i}", "x", "y", "z", "neoplastic", "liver", "", f"{i}.bam"]
        for i in range(4)
    ]
    place = header.index(column)
    rows[0][place], rows[1][place] = one, other
    path = write("\n".join("\t".join(row) for row in [header, *rows]) + "\n")
    with pytest.raises(InputError, match=rf"row 3, column {column}: '{other}' is the same number"):
        read_sheet(path, classes)


def test_a_donor_with_dots_for_hyphens_as_r_writes_is_refused(write, classes):
    header = ["sample", "donor", "study", "source", *HEADS, "bam"]
    donors = ["TCGA-AB-1", "TCGA.AB.1", "TCGA-AB-12", "X"]
    rows = [
        [f"s{i}", donor, "x", "y", "neoplastic", "liver", "", f"{i}.bam"]
        for i, donor in enumerate(donors)
    ]
    path = write("\n".join("\t".join(row) for row in [header, *rows]) + "\n")
    with pytest.raises(InputError, match=r"row 3, column donor: 'TCGA\.AB\.1' differs only in its"):
        read_sheet(path, classes)
    rows[1][1] = "TCGA-AB-1"
    path = write("\n".join("\t".join(row) for row in [header, *rows]) + "\n")
    assert len(read_sheet(path, classes)) == 4


def test_names_with_a_common_beginning_are_different(write):
    names = ["1", "11", "1.01", "1-0", "1e5", "1e6", "1e-5", "NA", "nan", "TRUE", "1e999999999"]
    text = "sample\tbam\n" + "".join(f"{name}\t{i}.bam\n" for i, name in enumerate(names))
    assert read_sheet(write(text), labelled=False)["sample"].tolist() == names


@pytest.mark.parametrize(
    "text",
    [
        "sample\tfastq_1\tfastq_2\nP1\tP1_1.fq\tP1_2.fq\n",
        "sample\tdonor\tstudy\tsource\tdisease_state\ttissue\tsubtype\tbam\nP1\t\t\t\t\t\t\tx.bam\n",
    ],
    ids=["no columns", "empty columns"],
)
def test_a_sheet_without_labels_is_refused_with_the_command_that_classifies(text, write, classes):
    with pytest.raises(InputError, match="snakemake classify --cores 2 --config samples=SHEET"):
        read_sheet(write(text), classes)


@pytest.mark.parametrize(("column", "other"), [("unit", "normalised"), ("strandedness", "forward")])
def test_two_units_or_strands_for_one_matrix_need_the_columns(column, other, write):
    def sheet(first: str, second: str) -> str:
        ways = {"unit": "count", "strandedness": "none"}
        rows = [{"sample": "a", "column": first, **ways}, {"sample": "b", "column": second, **ways}]
        rows[1][column] = other
        return pd.DataFrame(rows).assign(matrix="m.tsv").to_csv(sep="\t", index=False)

    for columns in (("", ""), ("x", "")):
        with pytest.raises(
            InputError, match=rf"row 3, column {column}: found '{other}', but .* row 2"
        ):
            read_sheet(write(sheet(*columns)), labelled=False)
    assert len(read_sheet(write(sheet("x", "y")), labelled=False)) == 2


def test_classes_have_plain_names(tmp_path):
    table = tmp_path / "classes.tsv"
    table.write_text(
        "tissue\tsubtype\tname\nkidney\tkirc\tclear cell carcinoma\nkidney\t\tKidney\nlung\t\t\n"
    )
    found = ClassTable.read(table)
    assert found.names == {"kirc": "clear cell carcinoma", "kidney": "Kidney"}
    assert found == ClassTable(("kidney", "lung"), {"kidney": ("kirc",), "lung": ()}, found.names)
    table.write_text(table.read_text() + "kidney\t\tKidneys\n")
    with pytest.raises(InputError, match=r"row 5, column name: 'kidney' is named 'Kidneys'"):
        ClassTable.read(table)


def test_a_new_sample_is_not_named_as_the_page_of_all(tmp_path):
    sheet = tmp_path / "new.tsv"
    sheet.write_text("sample\tmatrix\nIndex\tcounts.tsv\n")
    with pytest.raises(InputError, match=r"row 2, column sample: 'Index' is the name of the page"):
        read_sheet(sheet, labelled=False)
