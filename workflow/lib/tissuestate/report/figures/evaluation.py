"""Figures of one model's calls of test samples: confusion, ROC, top-K accuracy, reliability."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tissuestate.evaluation.calibration import calibration_error
from tissuestate.evaluation.trust import shown_probabilities
from tissuestate.labels import encode
from tissuestate.report.figures.style import (
    GREY,
    PALETTE,
    STYLE,
    class_colour,
    class_line,
    new_figure,
    show_message,
    whiskers,
)
from tissuestate.report.wording import HEADS as TITLES
from tissuestate.report.wording import head_title

INSET_FROM = 0.95  # area of every curve from which an inset hides no curve


def confusion_matrices(confusion: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> Figure:
    """Confusion matrices, one panel per head: counts in the cells, coloured by share of the row.

    `confusion` has the columns head, true, called, count. The head with most classes takes the
    left column, the others are stacked on the right.
    """
    heads = [head for head in classes if (confusion["head"] == head).any()]
    if not heads:
        with rc_context(STYLE):
            figure = new_figure(6, 3)
            show_message(figure.subplots(), "no test sample to show")
        return figure
    largest = max(heads, key=lambda head: len(classes[head]))
    columns = [[largest], [head for head in heads if head != largest]]
    columns = [column for column in columns if column]
    cell, letter, gap = 0.52, 0.082, 0.75

    def label_room(head: str) -> float:
        return 0.45 + letter * max(len(name) for name in classes[head])

    def height(head: str) -> float:
        return cell * len(classes[head]) + label_room(head) + gap

    def width(head: str) -> float:
        return cell * max(len(classes[head]), 3) + label_room(head) + 0.5

    total_width = sum(max(width(head) for head in column) for column in columns)
    total_height = max(sum(height(head) for head in column) for column in columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(total_width, total_height))
        left = 0.0
        for column in columns:
            top = total_height
            for head in column:
                names = list(classes[head])
                size = cell * len(names)
                box = (left + label_room(head), top - gap + 0.25 - size, size, size)
                axes = figure.add_axes(
                    (
                        box[0] / total_width,
                        box[1] / total_height,
                        box[2] / total_width,
                        box[3] / total_height,
                    )
                )
                _confusion_panel(axes, confusion[confusion["head"] == head], head, names)
                top -= height(head)
            left += max(width(head) for head in column)
    return figure


def _confusion_panel(axes: Axes, rows: pd.DataFrame, head: str, names: list[str]) -> None:
    counts = (
        rows.pivot_table(index="true", columns="called", values="count", aggfunc="sum")
        .reindex(index=names, columns=names)
        .fillna(0)
        .to_numpy(float)
    )
    support = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, support, out=np.zeros_like(counts), where=support > 0)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.15)
    for row, column in zip(*np.nonzero(counts), strict=True):
        axes.text(
            column,
            row,
            f"{int(counts[row, column])}\n{_percent(share[row, column])}",
            ha="center",
            va="center",
            fontsize=7.5,
            color="white" if share[row, column] > 0.6 else "black",
        )
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("called")
    axes.set_ylabel("true")
    axes.set_title(head_title(head))


def _percent(share: float) -> str:
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def roc_curves(roc: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> Figure:
    """One-against-rest ROC curves, one panel per head, and their macro average.

    `roc` has the columns head, class, fpr, tpr. Areas are by the trapezoid rule; the macro
    curve is the mean of the classes' curves at each false positive rate.
    """
    heads = [head for head in classes if (roc["head"] == head).any()]
    with rc_context(STYLE):
        legend_height = 0.62 + 0.19 * (_largest_number(classes, heads) + 1)
        figure = new_figure(4.6 * max(len(heads), 1), 4.7 + legend_height)
        panels, keys = figure.subplots(
            2, max(len(heads), 1), squeeze=False, height_ratios=[4.7, legend_height]
        )
        for key in keys:
            key.set_axis_off()
        if not heads:
            show_message(panels[0], "no test sample to show")
        for axes, key, head in zip(panels, keys, heads, strict=False):
            _roc_panel(axes, roc[roc["head"] == head], head, classes[head])
            key.legend(
                *axes.get_legend_handles_labels(),
                title="area under the curve",
                title_fontsize=9,
                loc="upper left",
            )
    return figure


def _roc_panel(axes: Axes, rows: pd.DataFrame, head: str, names: Sequence[str]) -> None:
    """Draw the curves of a head's classes, and an inset of the corner if all lie there."""
    curves = {
        index: (curve["fpr"].to_numpy(float), curve["tpr"].to_numpy(float))
        for index, name in enumerate(names)
        if len(curve := rows[rows["class"] == name])
    }
    areas = {index: float(np.trapezoid(tpr, fpr)) for index, (fpr, tpr) in curves.items()}
    targets = [axes, _corner(axes)] if min(areas.values()) > INSET_FROM else [axes]
    axes.plot([0, 1], [0, 1], color="#CCCCCC", linewidth=1)
    for index, (fpr, tpr) in curves.items():
        for target in targets:
            target.plot(
                fpr,
                tpr,
                color=class_colour(index),
                linestyle=class_line(index),
                linewidth=1.4,
                label=f"{names[index]}  {areas[index]:.3f}",
            )
    grid = np.linspace(0, 1, 1001)
    mean = np.mean([np.interp(grid, *curve) for curve in curves.values()], axis=0)
    for target in targets:
        target.plot(
            np.concatenate([[0.0], grid]),
            np.concatenate([[0.0], mean]),
            color="black",
            linewidth=2.6,
            alpha=0.45,
            label=f"macro average  {np.mean(list(areas.values())):.3f}",
        )
    axes.set_title(head_title(head))
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    axes.set_xlim(-0.02, 1)
    axes.set_ylim(0, 1.02)
    axes.set_box_aspect(1)


def _corner(axes: Axes) -> Axes:
    """An inset that enlarges the corner where the curves of good models lie."""
    inset = axes.inset_axes((0.42, 0.12, 0.54, 0.54), xlim=(-0.002, 0.1), ylim=(0.9, 1.002))
    inset.set_xticks([0, 0.05, 0.1])
    inset.set_yticks([0.9, 0.95, 1])
    inset.tick_params(labelsize=8)
    inset.spines[:].set_visible(True)
    inset.set_title("top left corner", fontsize=8, fontweight="normal")
    return inset


def _largest_number(classes: Mapping[str, Sequence[str]], heads: Sequence[str]) -> int:
    return max((len(classes[head]) for head in heads), default=1)


def top_k(metrics: pd.DataFrame) -> Figure:
    """Top-K accuracy by K, one panel per head, with its interval (metrics top1, top2, ...)."""
    rows = metrics[metrics["metric"].str.fullmatch(r"top\d+")].copy()
    rows["k"] = rows["metric"].str.slice(3).astype(int)
    heads = [head for head in TITLES if (rows["head"] == head).any()]
    with rc_context(STYLE):
        figure = new_figure(4.2 * max(len(heads), 1), 3.4)
        panels = figure.subplots(1, max(len(heads), 1), squeeze=False)[0]
        if not heads:
            show_message(panels[0], "no top-K accuracy was computed")
            return figure
        lowest = float(np.nanmin(rows[["value", "low"]].to_numpy(float)))
        for axes, head in zip(panels, heads, strict=True):
            curve = rows[rows["head"] == head].sort_values("k")
            below, above = whiskers(curve)
            axes.errorbar(
                curve["k"],
                curve["value"],
                yerr=[below, above],
                color=PALETTE[0],
                marker="o",
                markersize=5,
                capsize=3,
                clip_on=False,
            )
            axes.set_xticks(curve["k"])
            axes.set_xlim(0.7, curve["k"].max() + 0.3)
            axes.set_ylim(min(lowest - 0.02, 0.95), 1.001)
            axes.set_title(head_title(head))
            axes.set_xlabel("K: classes allowed")
            axes.set_ylabel("share with the truth among the top K")
            axes.grid(axis="y")
    return figure


def reliability(predictions: pd.DataFrame, classes: Mapping[str, Any], bins: int = 15) -> Figure:
    """Reliability diagrams on test samples: share of right calls by confidence.

    `predictions` is a table of `tabulate_predictions`; subtypes are scored as they are shown, given
    the tissue. Bins have equal width; each title gives the calibration error, its value by chance
    alone if the probabilities are exactly right, and the error without chance's part
    (`calibration_error`).
    """
    test = predictions[predictions["split"] == "test"]
    shown = shown_probabilities(test, classes)
    heads = list(shown)
    with rc_context(STYLE):
        figure = new_figure(4.2 * max(len(heads), 1), 4.8)
        grid = figure.subplots(
            2, max(len(heads), 1), squeeze=False, sharex=True, height_ratios=[4, 1]
        )
        for (axes, below), head in zip(grid.T, heads, strict=False):
            codes = encode(test[f"{head}_true"], classes[head])
            known = (codes >= 0) & ~np.isnan(shown[head]).any(axis=1)
            if not known.any():
                show_message(axes, "no test sample to show")
                below.set_axis_off()
                continue
            probabilities, codes = shown[head][known], codes[known]
            confidence = probabilities.max(axis=1)
            right = probabilities.argmax(axis=1) == codes
            donors = pd.factorize(test.loc[known, "donor"])[0]
            error = calibration_error(probabilities, codes, donors, bins=bins)
            edges = np.linspace(0, 1, bins + 1)
            index = np.minimum((confidence * bins).astype(int), bins - 1)
            axes.plot([0, 1], [0, 1], color="#CCCCCC", linewidth=1)
            means, shares, sizes = [], [], []
            for number in range(bins):
                inside = index == number
                if not inside.any():
                    continue
                means.append(confidence[inside].mean())
                shares.append(right[inside].mean())
                sizes.append(inside.sum())
            axes.scatter(
                means,
                shares,
                s=6 + 180 * np.sqrt(np.asarray(sizes) / len(codes)),
                color=PALETTE[0],
                alpha=0.75,
                clip_on=False,
            )
            axes.set_title(
                f"{head_title(head)}: error {error.expected:.3f} (chance {error.chance:.3f}),\n"
                f"RMS without chance {error.debiased:.3f} ({error.low:.3f}–{error.high:.3f})"
            )
            axes.set_ylabel("share of calls that are right")
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1.02)
            axes.grid()
            below.hist(confidence, bins=edges.tolist(), color=GREY)
            below.set_ylabel("samples")
            below.set_xlabel("confidence of the call")
    return figure
