"""Measures of what the batch correction did, before and after it."""

import pandas as pd

STAGES = ["before", "after"]


def before_and_after(diagnostics: pd.DataFrame) -> pd.DataFrame:
    """Measures (index) with their values before and after the correction; NaN if not measured.

    `diagnostics` is a long table with the columns stage (before, after; others are left out),
    measure, value. A measure known at one stage only is a fact about the fit and is left out too.
    """
    table = diagnostics[diagnostics["stage"].isin(STAGES)]
    table = table.assign(value=pd.to_numeric(table["value"], errors="coerce"))
    wide = table.pivot_table(
        index="measure", columns="stage", values="value", sort=False, aggfunc="first", dropna=False
    )
    both = table.groupby("measure")["stage"].nunique() == 2
    return wide.reindex(columns=STAGES)[wide.index.isin(both.index[both])]
