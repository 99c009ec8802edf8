"""The pages of classified samples, and their index, as files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tissuestate.advance import Advance, say_nothing
from tissuestate.classification.page import (
    INDEX,
    Background,
    index_facts,
    page_files,
    sample_facts,
)
from tissuestate.files import atomic
from tissuestate.report.render import render


def write_pages(
    folder: str | Path,
    records: Sequence[Mapping[str, Any]],
    background: Background,
    genes: pd.DataFrame | None = None,
    advance: Advance = say_nothing,
) -> None:
    """Write the page of each sample, and their index, into a folder.

    records: those of `describe_calls`. genes: of `explain_calls`, None if calls are not explained.
    `advance` is told of those written.
    """
    genes_of = {} if genes is None else dict(tuple(genes.groupby("sample")))
    files = page_files(record["sample"] for record in records)
    for record in records:
        facts = sample_facts(record, background, genes_of.get(record["sample"]))
        with atomic(Path(folder) / files[record["sample"]]) as temporary:
            temporary.write_text(render("sample.html.j2", facts), encoding="utf-8")
        advance(1)
    with atomic(Path(folder) / INDEX) as temporary:
        page = render("index.html.j2", index_facts(records, background))
        temporary.write_text(page, encoding="utf-8")
