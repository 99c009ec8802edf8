"""Figures that compare the models: balanced accuracy, time and memory."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tissuestate.labels import HEADS
from tissuestate.report.figures.style import (
    KEPT,
    STYLE,
    TEXT_GREY,
    WIDTH,
    draw_row,
    new_figure,
    show_message,
)
from tissuestate.report.wording import MODELS, head_title, model_title

COSTS = {
    "fit_seconds": ("Time to fit", "s"),
    "predict_seconds": ("Time to predict the test samples", "s"),
    "peak_memory_mb": ("Peak memory", "MB"),
}


def _models(table: pd.DataFrame) -> list[str]:
    """The models of a table, the known ones first and in the usual order."""
    present = list(dict.fromkeys(table["model"]))
    return sorted(present, key=lambda model: [*MODELS, model].index(model))


def accuracy_dots(benchmark: pd.DataFrame, called_by: str) -> Figure:
    """Balanced accuracy of all models with intervals, one panel per head; `called_by` is in blue.

    `benchmark` has the columns model, head, balanced_accuracy and, if known, low, high, and
    is_linear: whether the network is still the logistic regression that its training began as.
    """
    heads = [head for head in HEADS if (benchmark["head"] == head).any()]
    models = _models(benchmark)
    with rc_context(STYLE):
        figure = new_figure(WIDTH, 1.4 + 0.22 * len(models), "Balanced accuracy on test samples")
        if not heads:
            show_message(figure.subplots(), "no test sample to show")
            return figure
        panels = figure.subplots(1, len(heads), sharey=True, squeeze=False)[0]
        known = benchmark[benchmark["head"].isin(heads)].rename(
            columns={"balanced_accuracy": "value"}
        )
        lowest = known.reindex(columns=["value", "low"]).min().min()
        for axes, head in zip(panels, heads, strict=True):
            rows = known[known["head"] == head].set_index("model").reindex(models)
            _draw_accuracies(axes, rows, called_by)
            axes.set_title(head_title(head))
            axes.set_xlim(np.floor(10 * min(lowest, 0.9)) / 10, 1)
        _name_models(panels[0], models, called_by)
        below = "balanced accuracy, with 95 % intervals"
        if known.get("is_linear", pd.Series(dtype=bool)).any():
            below += (
                "\nhollow: training was no gain, and the logistic regression it began as was kept"
            )
        figure.supxlabel(below, fontsize=9, color=TEXT_GREY)
    return figure


def _draw_accuracies(axes: Axes, rows: pd.DataFrame, called_by: str) -> None:
    """A dot and its interval for each model that was scored."""
    for place, (model, row) in enumerate(rows.iterrows()):
        name = model_title(str(model))
        if np.isnan(row["value"]):
            across = axes.get_yaxis_transform()
            axes.text(0.04, -place, "not scored", va="center", color=TEXT_GREY, transform=across)
            continue
        text = f"{name}: {row['value']:.3f}"
        if row.get("low", np.nan) <= row.get("high", np.nan):
            text += f" (95 % interval {row['low']:.3f} to {row['high']:.3f})"
        colour = KEPT if model == called_by else TEXT_GREY
        is_linear = row.get("is_linear", False) is True
        draw_row(axes, -place, row, text, colour, "white" if is_linear else None)


def _name_models(axes: Axes, models: list[str], called_by: str) -> None:
    """Name the rows, in bold the model that calls, in all panels that share the axis."""
    axes.set_yticks(-np.arange(len(models)), [model_title(model) for model in models])
    axes.set_ylim(0.4 - len(models), 0.6)
    for label, model in zip(axes.get_yticklabels(), models, strict=True):
        label.set_fontweight("bold" if model == called_by else "normal")
    for panel in axes.figure.axes:
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x")


def cost_dots(benchmark: pd.DataFrame, called_by: str) -> Figure:
    """Cost of each model on logarithmic axes: time to fit, time to predict, peak memory."""
    models = _models(benchmark)
    per_model = benchmark.groupby("model")[list(COSTS)].max().reindex(models)
    with rc_context(STYLE):
        figure = new_figure(WIDTH, 1.3 + 0.22 * len(models), "What each model costs")
        panels = figure.subplots(1, len(COSTS), sharey=True)
        for axes, (column, (title, unit)) in zip(panels, COSTS.items(), strict=True):
            values = per_model[column].to_numpy(float)
            known = np.isfinite(values) & (values > 0)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
            axes.minorticks_off()
            for place in np.flatnonzero(known).tolist():
                text = f"{_short(values[place])} {unit}"
                colour = KEPT if models[place] == called_by else TEXT_GREY
                hovered = f"{model_title(models[place])}: {text}"
                draw_row(axes, -place, pd.Series({"value": values[place]}), hovered, colour)
                offset = {"xytext": (7, 0), "textcoords": "offset points", "va": "center"}
                axes.annotate(text, (values[place], -place), fontsize=8, **offset)
            if known.any():
                decades = np.log10([values[known].min() / 1.2, values[known].max() * 6])
                axes.set_xlim(10 ** np.floor(decades[0]), 10 ** np.ceil(decades[1]))
            axes.set_title(title)
            axes.set_xlabel({"s": "seconds", "MB": "megabytes"}[unit] + " (logarithmic axis)")
        _name_models(panels[0], models, called_by)
    return figure


def _short(value: float) -> str:
    """Two significant digits without an exponent, and whole numbers from ten on."""
    digits = max(0, 1 - int(np.floor(np.log10(value))))
    return f"{value:,.{digits}f}"
