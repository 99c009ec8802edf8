"""The sources of a bundle's data: listed with their samples, none missing."""

from pathlib import Path

import pandas as pd
import pytest
from tissuestate.bundle.sources import list_sources
from tissuestate.errors import InputError

HEADER = "source\taccession\tobtained_from\tlicence\n"
COHORT = pd.DataFrame({"source": ["b", "a", "a"]})


def test_each_source_is_listed_with_its_samples(tmp_path: Path) -> None:
    path = tmp_path / "sources.tsv"
    path.write_text(f"{HEADER}a\tGSE1\tGEO\tMIT\nunused\tGSE2\tGEO\tMIT\nb\tGSE3\tGEO\tnone\n")
    found = [(row["source"], row["licence"], row["samples"]) for row in list_sources(path, COHORT)]
    assert found == [("a", "MIT", 2), ("b", "none", 1)]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("a\tGSE1\tGEO\tMIT\n", "no row for 'b'"),
        ("a\tGSE1\tGEO\tMIT\nb\tGSE3\tGEO\t\n", "row 3, column licence: found nothing"),
        ("a\tx\tx\tx\nb\tx\tx\tx\na\tx\tx\tx\n", "row 4, column source: 'a' is already"),
    ],
)
def test_a_table_with_gaps_is_refused(tmp_path: Path, rows: str, sentence: str) -> None:
    path = tmp_path / "sources.tsv"
    path.write_text(HEADER + rows)
    with pytest.raises(InputError, match=sentence):
        list_sources(path, COHORT)
