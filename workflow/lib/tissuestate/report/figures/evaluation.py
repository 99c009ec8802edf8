"""Figures of one model's calls of test samples: AUC of each class, and reliability."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tissuestate.evaluation.calibration import calibration_error
from tissuestate.evaluation.trust import shown_probabilities
from tissuestate.labels import encode
from tissuestate.report.figures.style import (
    GREY,
    KEPT,
    STYLE,
    TEXT_GREY,
    WIDTH,
    draw_row,
    hover,
    new_figure,
    show_message,
)
from tissuestate.report.shares import exact_interval
from tissuestate.report.wording import class_label, class_title, head_title

FEW = 10  # samples; what rests on fewer is drawn hollow


def class_areas(
    per_class: pd.DataFrame,
    metrics: pd.DataFrame,
    classes: Mapping[str, Sequence[str]],
    names: Mapping[str, str],
) -> Figure:
    """Area under the ROC curve of each class against the rest, and the mean with its interval.

    per_class: head, class, auc, support. metrics: of `auc`, head, value, low, high. names: plain
    names of classes.
    """
    means = metrics[metrics["metric"] == "auc"].set_index("head")
    known = per_class.dropna(subset=["auc"])
    heads = [head for head in classes if head in means.index and (known["head"] == head).any()]
    sizes = [1 + int((known["head"] == head).sum()) for head in heads]
    with rc_context(STYLE):
        height = 1.1 + 0.2 * sum(sizes) + 0.45 * len(sizes)
        figure = new_figure(7.6, height, "Area under the ROC curve by class")
        if not heads:
            show_message(figure.subplots(), "no test sample to show")
            return figure
        panels = figure.subplots(len(heads), 1, squeeze=False, sharex=True, height_ratios=sizes)
        lowest = min(known["auc"].min(), means.loc[heads, "low"].min())
        for axes, head in zip(panels[:, 0], heads, strict=True):
            rows = known[known["head"] == head].set_index("class")
            _draw_areas(axes, rows, means.loc[head], names)
            axes.set_title(head_title(head))
        axes.set_xlim(min(0.9, np.floor(20 * lowest) / 20), 1)
        axes.set_xlabel(
            f"area, each class against the rest (hollow: of fewer than {FEW} test samples)"
        )
    return figure


def _draw_areas(axes: Axes, rows: pd.DataFrame, mean: pd.Series, names: Mapping[str, str]) -> None:
    """A dot for each class in their order, above them the mean with its interval."""
    labels = ["mean of the classes"]
    interval = f"95 % interval {mean['low']:.3f} to {mean['high']:.3f}"
    draw_row(axes, 0, mean, f"mean of the classes: AUC {mean['value']:.3f} ({interval})")
    for place, (name, row) in enumerate(rows.iterrows(), start=1):
        labels.append(f"{class_label(str(name), names)} ({row['support']:.0f})")
        text = f"{class_title(str(name), names)}: AUC {row['auc']:.3f}, "
        text += f"{row['support']:.0f} test samples"
        one = pd.Series({"value": row["auc"]})
        draw_row(axes, -place, one, text, TEXT_GREY, "white" if row["support"] < FEW else None)
    axes.set_yticks(-np.arange(len(labels)), labels)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-len(labels) + 0.4, 0.6)
    axes.grid(axis="x")


def reliability(predictions: pd.DataFrame, classes: Mapping[str, Any], bins: int = 15) -> Figure:
    """Reliability on test samples: share of right calls by confidence, and numbers of calls.

    `predictions` is a table of `tabulate_predictions`; subtypes are scored as they are shown, given
    the tissue. Bins have equal width; each panel gives the calibration error, and its value by
    chance alone if the probabilities are exactly right (`calibration_error`).
    """
    test = predictions[predictions["split"] == "test"]
    shown = shown_probabilities(test, classes)
    with rc_context(STYLE):
        figure = new_figure(WIDTH, 4.2, "Reliability: are calls as often right as they are sure?")
        grid = figure.subplots(2, max(len(shown), 1), squeeze=False, height_ratios=[3.4, 1])
        for (axes, below), head in zip(grid.T, shown, strict=False):
            codes = encode(test[f"{head}_true"], classes[head])
            known = (codes >= 0) & ~np.isnan(shown[head]).any(axis=1)
            axes.set_title(head_title(head))
            if not known.any():
                show_message(axes, "no test sample to show")
                below.set_axis_off()
                continue
            probabilities, codes = shown[head][known], codes[known]
            donors = pd.factorize(test.loc[known, "donor"])[0]
            error = calibration_error(probabilities, codes, donors, bins=bins)
            is_right = probabilities.argmax(axis=1) == codes
            start = draw_reliability(axes, probabilities.max(axis=1), is_right, bins)
            _draw_confidences(below, probabilities.max(axis=1), start, bins)
            below.set_xlabel(
                "probability of the class called\n"
                f"calibration error {error.expected:.3f} ({error.chance:.3f} by chance)"
            )
        grid[0][0].set_ylabel("share right")
        grid[1][0].set_ylabel("calls")
    return figure


def draw_reliability(axes: Axes, confidence: np.ndarray, is_right: np.ndarray, bins: int) -> float:
    """Draw the share right by confidence with exact intervals; the start of the axis, a bin's edge.

    The axis begins with the least confident bin that holds calls. Dots of few calls are hollow.
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    start = max(0.0, min(float(place.min()) / bins, 0.8))
    axes.plot([start, 1], [start, 1], color=GREY, linewidth=1)
    lowest = start
    for number in np.unique(place):
        inside = place == number
        hits, calls = int(is_right[inside].sum()), int(inside.sum())
        mean, (low, high) = float(confidence[inside].mean()), exact_interval(hits, calls)
        text = f"{hits} of {calls} right at a probability of {mean:.3f} on average"
        look: dict[str, Any] = {"color": GREY if calls < FEW else KEPT}
        hover(axes.plot([mean] * 2, [low, high], linewidth=1.2, **look)[0], text)
        look |= {"markersize": 6, "markerfacecolor": "white" if calls < FEW else KEPT}
        hover(axes.plot(mean, hits / calls, "o", clip_on=False, **look)[0], text)
        lowest = min(lowest, low)
    axes.set_xlim(start, 1.01)
    axes.set_ylim(max(0.0, lowest - 0.02), 1.03)
    axes.grid()
    return start


def _draw_confidences(axes: Axes, confidence: np.ndarray, start: float, bins: int) -> None:
    """Draw the number of calls in each bin of confidence."""
    edges = np.linspace(0, 1, bins + 1)
    counts, _ = np.histogram(confidence, edges)
    for count, left in zip(counts, edges[:-1], strict=True):
        bar = axes.bar(left, count, width=1 / bins, align="edge", color=GREY, edgecolor="white")
        hover(bar[0], f"{count} calls with a probability of {left:.2f} to {left + 1 / bins:.2f}")
    axes.set_xlim(start, 1.01)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
