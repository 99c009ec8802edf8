"""The sheet's JSON schema says what `read_sheet` enforces.

docs/sample-sheet.md is made from it, and programs that write sheets may read it. The workflow
calls `read_sheet`, which names row and remedy and takes 10,000 rows in a second, whereas a
schema validator needs half a minute.
"""

from pathlib import Path

import jsonschema
import pytest
import yaml
from tissuestate.errors import InputError
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.sheet import COLUMNS, read_sheet


@pytest.fixture(scope="module")
def schema(root: Path) -> jsonschema.Draft202012Validator:
    text = (root / "workflow" / "schemas" / "samples.schema.yaml").read_text()
    return jsonschema.Draft202012Validator(yaml.safe_load(text))


@pytest.fixture(scope="module")
def classes(root: Path) -> ClassTable:
    return ClassTable.read(root / "resources" / "classes.tsv")


def test_every_row_that_is_read_fits_the_schema(root: Path, schema, classes) -> None:
    sheet = read_sheet(root / "resources" / "demo.tsv", classes)
    assert set(schema.schema["properties"]) == set(COLUMNS)
    for row in sheet.to_dict("records"):
        schema.validate(row)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sample", "a b"),
        ("sample", "$(reboot)"),
        ("sample", ""),
        ("donor", "-rf"),
        ("sex", "m"),
        ("specimen", "x;y"),
        ("disease_state", "cancer"),
        ("fastq_1", "reads`id`.fastq.gz"),
        ("fastq_1", "two reads.fastq.gz"),
        ("strandedness", "sense"),
    ],
)
def test_rows_that_the_schema_refuses_are_refused_in_a_sheet(
    root: Path, tmp_path: Path, schema, classes, column: str, value: str
) -> None:
    sheet = read_sheet(root / "resources" / "demo.tsv", classes)
    row = sheet.iloc[0].to_dict() | {column: value}
    assert not schema.is_valid(row)
    sheet.loc[0, column] = value
    sheet.drop(columns="origin").to_csv(tmp_path / "samples.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=r"samples\.tsv, row 2"):
        read_sheet(tmp_path / "samples.tsv", classes)
