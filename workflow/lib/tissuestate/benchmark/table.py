"""The table of the benchmark: accuracy and cost of each model."""

from collections.abc import Mapping

import pandas as pd


def tabulate_benchmark(
    metrics: Mapping[str, pd.DataFrame], costs: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    """One row per model and head: balanced accuracy, accuracy, and the cost of the model.

    Costs are those of the whole model (all heads). Seconds to fit are those of the final fit,
    without tuning of networks and without fitting of scaler, PCA or feature selection.
    """
    rows = []
    for model, table in metrics.items():
        values = table.pivot(index="head", columns="metric", values="value")
        for head in dict.fromkeys(table["head"]):
            rows.append(
                {
                    "model": model,
                    "head": head,
                    "balanced_accuracy": values.loc[head, "balanced_accuracy"],
                    "accuracy": values.loc[head, "accuracy"],
                    **costs[model],
                }
            )
    return pd.DataFrame(rows)
