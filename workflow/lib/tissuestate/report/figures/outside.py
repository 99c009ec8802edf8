"""Figures of calls in other laboratories: by laboratory, reliability, curves, known and new."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tissuestate.evaluation.outside import (
    BINS,
    THRESHOLDS,
    accuracy_by_threshold,
    area_between,
    newness_scores,
)
from tissuestate.report.figures.style import (
    DROPPED,
    GREY,
    KEPT,
    STYLE,
    TEXT_GREY,
    WIDTH,
    new_figure,
    show_message,
)
from tissuestate.report.shares import exact_interval

TITLES = {"tissue": "Tissue of origin", "tumour": "Tumour or not", "disease_state": "Three states"}


def outside_reliability(answers: Mapping[str, pd.DataFrame]) -> Figure:
    """Share right by confidence, one panel per question, with exact intervals and numbers."""
    asked = [question for question in TITLES if question in answers]
    with rc_context(STYLE):
        figure = new_figure(WIDTH, 3.9, "Reliability in other laboratories")
        for axes, question in zip(
            figure.subplots(1, len(asked), squeeze=False)[0], asked, strict=True
        ):
            rows = answers[question]
            rows = rows[rows["confidence"].notna()]
            place = np.minimum((rows["confidence"] * BINS).astype(int), BINS - 1)
            axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
            for _, members in rows.groupby(place):
                low, high = exact_interval(int(members["right"].sum()), len(members))
                confidence = members["confidence"].mean()
                axes.plot([confidence] * 2, [low, high], color=KEPT, linewidth=1.2)
                axes.plot(confidence, members["right"].mean(), "o", color=KEPT, clip_on=False)
                axes.annotate(
                    str(len(members)),
                    (confidence, low),
                    (0, -6),
                    textcoords="offset points",
                    ha="center",
                    va="top",
                    fontsize=8,
                    color=TEXT_GREY,
                )
            axes.set_xlim(0, 1.03)
            axes.set_ylim(-0.14, 1.03)
            axes.set_title(TITLES[question])
            axes.set_xlabel("probability of the most probable class")
            axes.grid()
        figure.axes[0].set_ylabel("share right")
    return figure


def outside_curves(
    answers: Mapping[str, pd.DataFrame], development: Mapping[str, pd.DataFrame]
) -> Figure:
    """Accuracy of calls above each confidence, in the training laboratories and outside."""
    asked = [question for question in TITLES if question in answers]
    with rc_context(STYLE):
        figure = new_figure(WIDTH, 3.7, "Accuracy of calls above each probability")
        for axes, question in zip(
            figure.subplots(1, len(asked), squeeze=False, sharey=True)[0], asked, strict=True
        ):
            rows = answers[question]
            outside = accuracy_by_threshold(rows[rows["confidence"].notna()])
            title = TITLES[question]
            axes.plot(THRESHOLDS, outside, color=DROPPED, linestyle="--", label="outside")
            if question in development:
                inside = accuracy_by_threshold(development[question])
                axes.plot(THRESHOLDS, inside, color=KEPT, label="training laboratories")
                axes.fill_between(THRESHOLDS, outside, inside, color=GREY, alpha=0.25)
                title += f": area {area_between(inside, outside):.3f}"
            axes.set_title(title)
            axes.set_xlabel("least probability of a call")
            axes.set_xlim(0, 1)
            axes.grid()
        figure.axes[0].set_ylabel("share right of these calls")
        figure.axes[0].legend(loc="lower right")
    return figure


def known_and_new(calls: pd.DataFrame, is_new: pd.Series, areas: Mapping[str, float]) -> Figure:
    """Distributions of two scores for samples of known classes and of none.

    areas: under the ROC curve, by score (see `newness_scores`).
    """
    accepted = calls["refused"] == ""
    scores, new = newness_scores(calls[accepted]), is_new[accepted].to_numpy(bool)
    with rc_context(STYLE):
        figure = new_figure(WIDTH, 3.6, "Samples of known classes and of none")
        panels = figure.subplots(1, 2)
        if not len(new):
            for axes in panels:
                show_message(axes, "every file was refused")
            return figure
        shown = np.clip(scores["novelty"], 0.1, 100)
        bins = np.geomspace(min(shown.min(), 0.5), max(shown.max(), 2), 41)
        _draw_distributions(panels[0], shown, new, bins)
        panels[0].axvline(1, color=GREY, linewidth=1)
        panels[0].set_xscale("log", base=2)
        panels[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panels[0].set_xlabel("novelty score, to the right less like training; grey line: its limit")
        _draw_distributions(panels[1], 1 - scores["probability"], new, np.linspace(0, 1, 41))
        panels[1].set_xlabel("probability of the most probable tissue")
        for axes, name in zip(panels, ("novelty", "probability"), strict=True):
            title = {"novelty": "Novelty", "probability": "Probability of the tissue"}[name]
            axes.set_title(f"{title}: AUROC {areas[name]:.3f}" if name in areas else title)
            axes.set_ylabel("share of the samples")
        panels[1].legend(loc="upper left")
    return figure


def _draw_distributions(
    axes: Axes, scores: pd.Series, is_new: np.ndarray, bins: np.ndarray
) -> None:
    """Outlined histograms of known and new samples, each adding up to 1."""
    for rows, name, colour, line in (
        (~is_new, "known classes", KEPT, "-"),
        (is_new, "no class", DROPPED, "--"),
    ):
        if rows.any():
            axes.hist(
                scores[rows],
                bins=bins.tolist(),
                weights=np.full(rows.sum(), 1 / rows.sum()),
                label=f"{name} ({rows.sum()})",
                color=colour,
                linestyle=line,
                histtype="step",
                linewidth=1.6,
            )
