"""Figures of expression: samples on principal components, and effects of the correction."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tissuestate.labels import STATES
from tissuestate.report.figures.style import (
    GREY,
    STYLE,
    WIDTH,
    class_colour,
    class_marker,
    draw_row,
    hover,
    new_figure,
    show_message,
)
from tissuestate.report.measures import STAGES, before_and_after
from tissuestate.report.wording import class_label, measure_title

OPACITY = 0.85  # of marks: samples below others show, and every colour stands out from white


def project(values: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Coordinates (samples × 2) on the first two principal components of samples × genes.

    Missing values count as the gene's mean. The shares of variance explained are returned, too.
    """
    from sklearn.utils.extmath import randomized_svd

    centred = np.asarray(values, dtype=np.float32)
    means = np.nanmean(centred, axis=0, keepdims=True, dtype=np.float64)
    centred = np.nan_to_num(centred - means.astype(np.float32), copy=False, nan=0.0)
    left, sizes, _ = randomized_svd(centred, 2, n_iter=8, random_state=0)
    points = np.asarray(left * sizes, dtype=np.float64)
    total = float(np.square(centred, dtype=np.float64).sum())
    shares = np.square(points).sum(axis=0) / total if total > 0 else np.zeros(2)
    return points, (float(shares[0]), float(shares[1]))


def principal_components(
    before: pd.DataFrame,
    after: pd.DataFrame,
    explained: Mapping[str, Sequence[float]],
    names: Mapping[str, str],
) -> Figure:
    """First two principal components before and after correction: by study, and by biology.

    Both tables have the columns x, y, study, tissue, disease_state, one row per sample. `explained`
    gives for `before` and `after` the share of variance of the two components. Only one column is
    drawn if the correction changed nothing. names: plain names of tissues.
    """
    stages = {"before": before} if before.equals(after) else {"before": before, "after": after}
    studies = sorted(before["study"].unique())
    tissues = sorted(before["tissue"].unique())
    states = [state for state in STATES if (before["disease_state"] == state).any()]
    with rc_context(STYLE):
        rows = max(len(studies), len(tissues) + len(states)) + 2
        height = max(7.6, 0.36 * rows + 0.6)
        figure = new_figure(WIDTH, height, "Samples on two principal components of expression")
        grid = figure.subplots(2, len(stages), squeeze=False)
        for column, (stage, table) in enumerate(stages.items()):
            by_study, by_biology = grid[0][column], grid[1][column]
            named = f", {stage} correction" if len(stages) > 1 else ", not corrected"
            by_study.set_title("By study" + named)
            _scatter_by_study(by_study, table, studies)
            by_biology.set_title("By tissue and state" + named)
            _scatter_by_biology(by_biology, table, tissues, states)
            shares = explained.get(stage)
            for axes in (by_study, by_biology):
                for component, label in enumerate((axes.set_xlabel, axes.set_ylabel)):
                    share = f" ({shares[component]:.0%})" if shares is not None else ""
                    label(f"component {component + 1}{share}")
                axes.set_xticks([])
                axes.set_yticks([])
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1)}
        grid[0][-1].legend(handles=_class_keys(studies), title="study", **place)
        keys = _class_keys([class_label(name, names) for name in tissues]) + _state_keys(states)
        grid[1][-1].legend(handles=keys, title="tissue and state", **place)
    return figure


def _scatter_by_study(axes: Axes, table: pd.DataFrame, studies: list[str]) -> None:
    """Draw the samples, coloured by study, the rare studies on top."""
    for study in table["study"].value_counts().index:
        index = studies.index(study)
        chosen = table[table["study"] == study]
        axes.scatter(
            chosen["x"],
            chosen["y"],
            s=12,
            alpha=OPACITY,
            linewidths=0,
            color=class_colour(index),
            marker=class_marker(index),
        )


def _scatter_by_biology(
    axes: Axes, table: pd.DataFrame, tissues: list[str], states: list[str]
) -> None:
    """Draw the samples, coloured by tissue and filled by state, the rare tissues on top."""
    for tissue in table["tissue"].value_counts().index:
        index = tissues.index(tissue)
        chosen = table[table["tissue"] == tissue]
        for state in states:
            part = chosen[chosen["disease_state"] == state]
            axes.scatter(
                part["x"],
                part["y"],
                s=18,
                alpha=OPACITY,
                marker=class_marker(index),
                linewidths=0.9,
                **_state_look(state, class_colour(index)),
            )


def _class_keys(names: Sequence[str]) -> list[Line2D]:
    """Entries of a legend for classes in the order of their numbers."""
    return [
        Line2D([], [], linestyle="", marker=class_marker(i), color=class_colour(i), label=name)
        for i, name in enumerate(names)
    ]


def _state_keys(states: Sequence[str]) -> list[Line2D]:
    """Entries of a legend for disease states."""
    return [
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            label=state,
            markeredgecolor="#444444",
            markerfacecolor=_state_look(state, "#444444")["facecolors"],
            alpha=OPACITY,
        )
        for state in states
    ]


def _state_look(state: str, colour: str) -> dict[str, Any]:
    """Look of a state: neoplastic filled, peri-neoplastic pale, non-neoplastic hollow."""
    fill = {"neoplastic": colour, "peri-neoplastic": _pale(colour)}.get(state, "none")
    return {"facecolors": fill, "edgecolors": colour}


def _pale(colour: str) -> str:
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{255 - (255 - part) * 2 // 5:02X}" for part in parts)


def correction_diagnostics(diagnostics: pd.DataFrame) -> Figure:
    """Measures of batch effect and biology, as arrows from before to after the correction.

    `diagnostics` is what `before_and_after` takes; measures lie between 0 and 1.
    """
    wide = before_and_after(diagnostics).dropna()
    with rc_context(STYLE):
        height = 1.4 + 0.26 * max(len(wide), 1)
        figure = new_figure(8.4, height, "Batch effect and biology before and after correction")
        axes = figure.subplots()
        if wide.empty:
            show_message(axes, "No measure was computed both before and after.")
            return figure
        for place, (name, row) in enumerate(wide.iterrows()):
            before, after = (float(row[stage]) for stage in STAGES)
            text = f"{measure_title(str(name))}: {before:z.2f} before, {after:z.2f} after"
            draw_row(axes, -place, pd.Series({"value": after}), text)
            ends = [before, after], [-place, -place]
            hover(axes.plot(*ends, color=GREY, linewidth=1.6)[0], text)
            look: dict[str, Any] = {"color": GREY, "markerfacecolor": "white", "markersize": 7}
            hover(axes.plot(before, -place, "o", clip_on=False, **look)[0], text)
            axes.text(max(before, after) + 0.02, -place, f"{after:z.2f}", va="center", fontsize=8)
        axes.set_yticks(-np.arange(len(wide)), [measure_title(str(name)) for name in wide.index])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(0.4 - len(wide), 0.6)
        axes.set_xlim(min(-0.02, float(wide.min().min()) - 0.02), 1.08)
        axes.set_xticks(np.linspace(0, 1, 6))
        looks = "hollow: before; filled, with its value: after"
        if wide["before"].equals(wide["after"]):
            looks = "before and after are equal: nothing was corrected"
        axes.set_xlabel(f"measure between 0 and 1 ({looks})")
        axes.grid(axis="x")
    return figure
