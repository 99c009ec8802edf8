"""Figures that compare the models: balanced accuracy, time and memory."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from tissuestate.labels import HEADS
from tissuestate.report.figures.style import PALETTE, STYLE, new_figure, whiskers
from tissuestate.report.wording import MODELS, head_title, model_title


def _models(table: pd.DataFrame) -> list[str]:
    """The models of a table, the known ones first and in the usual order."""
    present = list(dict.fromkeys(table["model"]))
    return sorted(present, key=lambda model: [*MODELS, model].index(model))


def benchmark_bars(benchmark: pd.DataFrame) -> Figure:
    """Balanced accuracy of all models, one panel per head, as in the paper's figure 5.

    `benchmark` has the columns model, head, balanced_accuracy and, if intervals are known,
    low, high.
    """
    heads = [head for head in HEADS if (benchmark["head"] == head).any()]
    models = _models(benchmark)
    with rc_context(STYLE):
        figure = new_figure(4.3 * max(len(heads), 1), 1.5 + 0.4 * len(models))
        panels = figure.subplots(1, max(len(heads), 1), sharey=True, squeeze=False)[0]
        place = np.arange(len(models))[::-1]
        for axes, head in zip(panels, heads, strict=False):
            rows = benchmark[benchmark["head"] == head].set_index("model").reindex(models)
            rows = rows.rename(columns={"balanced_accuracy": "value"})
            below, above = whiskers(rows)
            bars = axes.barh(
                place,
                rows["value"].fillna(0),
                xerr=[below, above],
                height=0.7,
                color=[_model_colour(model) for model in models],
                error_kw={"elinewidth": 1, "capsize": 2.5, "ecolor": "#333333"},
            )
            for bar, value, over in zip(bars, rows["value"], above, strict=True):
                text = "not scored" if np.isnan(value) else f"{value:.3f}"
                axes.text(
                    (0 if np.isnan(value) else value + over) + 0.015,
                    bar.get_y() + bar.get_height() / 2,
                    text,
                    va="center",
                    fontsize=9,
                )
            axes.set_yticks(place, [model_title(model) for model in models])
            axes.tick_params(axis="y", length=0)
            axes.set_xlim(0, 1.18)
            axes.set_xticks(np.linspace(0, 1, 6))
            axes.set_xlabel("balanced accuracy")
            axes.set_title(head_title(head))
            axes.grid(axis="x")
    return figure


def _model_colour(model: str) -> str:
    """Colour of a model: networks are blue, ridge regression orange, classical models grey."""
    if model == "dl_pca":
        return PALETTE[0]
    if model == "ridge":
        return PALETTE[1]
    return PALETTE[5] if model.startswith("dl_") else "#B0B0B0"


def cost_bars(benchmark: pd.DataFrame) -> Figure:
    """Cost of each model: seconds to fit, seconds to predict, peak memory (log scale)."""
    costs = {
        "fit_seconds": "seconds to fit",
        "predict_seconds": "seconds to predict the test set",
        "peak_memory_mb": "peak memory, MB",
    }
    models = _models(benchmark)
    per_model = benchmark.groupby("model")[list(costs)].max().reindex(models)
    with rc_context(STYLE):
        figure = new_figure(4.3 * len(costs), 1.5 + 0.4 * len(models))
        panels = figure.subplots(1, len(costs), sharey=True)
        place = np.arange(len(models))[::-1]
        for axes, (column, title) in zip(panels, costs.items(), strict=True):
            values = per_model[column].to_numpy(float)
            known = np.isfinite(values) & (values > 0)
            axes.barh(
                place[known],
                values[known],
                height=0.7,
                color=[_model_colour(m) for m, k in zip(models, known, strict=True) if k],
            )
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
            if known.any():
                axes.set_xlim(values[known].min() / 3, values[known].max() * 12)
            for y, value, usable in zip(place, values, known, strict=True):
                if usable:
                    axes.text(value * 1.15, y, _short(value), va="center", fontsize=9)
            axes.set_yticks(place, [model_title(model) for model in models])
            axes.tick_params(axis="y", length=0)
            axes.set_title(title)
            axes.grid(axis="x")
    return figure


def _short(value: float) -> str:
    """Three significant digits without an exponent."""
    digits = max(0, 2 - int(np.floor(np.log10(value))))
    return f"{value:,.{digits}f}"
