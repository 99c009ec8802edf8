"""Tables of calls, and of the genes behind them, as files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tissuestate.files import atomic


def write_calls(
    table: pd.DataFrame,
    records: Sequence[Mapping[str, Any]],
    calls: str | Path,
    as_json: str | Path,
) -> None:
    """Write the two results of `describe_calls`."""
    with atomic(calls) as temporary:
        temporary.write_text(calls_text(table), encoding="utf-8")
    with atomic(as_json) as temporary:
        text = json.dumps(records, indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def calls_text(table: pd.DataFrame) -> str:
    """The table of calls as tab-separated text."""
    return table.to_csv(sep="\t", float_format="%.6g", lineterminator="\n")


def write_genes(genes: pd.DataFrame, path: str | Path) -> None:
    """Write the result of `explain_calls`."""
    with atomic(path) as temporary:
        genes.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
