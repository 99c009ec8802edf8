"""The calls of samples whose laboratory was left out, as the stage wrote them."""

from pathlib import Path

import pandas as pd

from tissuestate.labels import HEADS, TUMOUR
from tissuestate.tables import read_table


def read_calls(path: str | Path) -> pd.DataFrame:
    """The calls of samples left out, by sample, with laboratory, unit and `{head}_true`."""
    asked = (TUMOUR, *HEADS)
    text = [f"{name}{ending}" for name in asked for ending in ("", "_set", "_abstained")]
    table = read_table(path, text=[*text, "refused", "laboratory", "unit"])
    return table.set_index("sample")
