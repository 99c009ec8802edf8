"""The sex that each sample of a cohort expresses, beside the one stated and the tissue."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from tissuestate.matrices.sex import contradicted
from tissuestate.tables import read_strings

NAMED = 5  # contradicted samples that the log names

log = logging.getLogger(__name__)


def sex_table(samples: pd.DataFrame) -> pd.DataFrame:
    """One row per sample: sample, donor, tissue, sex (as stated), sex_expressed, contradicts.

    contradicts: what the expressed sex does not fit: sex, tissue, sex|tissue, or '' (nothing).
    Contradicted samples are logged; they stay in the cohort.
    """
    columns = ["donor", "tissue", "sex", "sex_expressed"]
    table = samples[columns].astype(str).rename_axis("sample").reset_index()
    rows = zip(table["sex_expressed"], table["sex"], table["tissue"], strict=True)
    table["contradicts"] = ["|".join(contradicted(*row)) for row in rows]
    wrong = table[table["contradicts"] != ""]
    if len(wrong):
        named = ", ".join(
            f"{row.sample} ({row.sex_expressed}; {row.sex + ', ' if row.sex else ''}{row.tissue})"
            for row in wrong.head(NAMED).itertuples()
        )
        log.warning(
            "%d sample(s) express another sex than the sheet or the tissue says, and may be "
            "swapped: %s%s",
            len(wrong),
            named,
            ", …" if len(wrong) > NAMED else "",
        )
    return table


def sex_facts(path: str | Path) -> dict[str, Any]:
    """Facts of a `sex_table` that was written.

    samples, expressed (whose sex is known by expression), stated (by the sheet): numbers.
    contradicted: the rows whose sex contradicts something, as dictionaries.
    """
    table = read_strings(path)
    return {
        "samples": len(table),
        "expressed": int((table["sex_expressed"] != "").sum()),
        "stated": int((table["sex"] != "").sum()),
        "contradicted": table[table["contradicts"] != ""].to_dict("records"),
    }
