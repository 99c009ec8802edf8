"""Figures on how far the calls can be trusted: sets, abstention, novelty, missing genes."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from tissuestate.evaluation.missing_genes import least_genes
from tissuestate.evaluation.sets import LEVEL
from tissuestate.report.figures.style import DROPPED, GREY, KEPT, PALETTE, STYLE
from tissuestate.report.wording import HEADS as TITLES
from tissuestate.report.wording import head_title

KINDS = {"random": "random genes", "faint": "the faintest genes"}


def _heads(table: pd.DataFrame) -> list[str]:
    return [head for head in TITLES if (table["head"] == head).any()]


def set_coverage(sets: pd.DataFrame) -> Figure:
    """Coverage of the sets with its interval, by head and tissue, and the sets' size."""
    heads = _heads(sets)
    sizes = [int((sets["head"] == head).sum()) for head in heads]
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 1.4 + 0.26 * sum(sizes) + 0.5 * len(sizes)))
        figure.set_layout_engine("constrained")
        panels = figure.subplots(
            len(heads), 1, squeeze=False, sharex=True, height_ratios=[size + 1 for size in sizes]
        )[:, 0]
        for axes, head in zip(panels, heads, strict=True):
            rows = sets[sets["head"] == head].iloc[::-1]
            places = np.arange(len(rows))
            value = rows["coverage"].to_numpy()
            spread = [value - rows["low"], rows["high"] - value]
            axes.axvline(LEVEL, color=GREY, linewidth=1)
            axes.errorbar(
                value, places, xerr=np.maximum(spread, 0), fmt="o", color=PALETTE[0], capsize=2
            )
            names = rows["tissue"].replace("", "all samples")
            axes.set_yticks(places, names + rows["samples"].map(" ({})".format))
            whole = rows.iloc[-1]
            axes.set_title(
                f"{head_title(head)}: {whole['coverage']:.1%} covered, "
                f"{whole['size']:.2f} classes per set"
            )
            axes.set_ylim(-0.7, len(rows) - 0.3)
            axes.grid(axis="x")
        panels[-1].set_xlim(min(0.6, float(sets["low"].min()) - 0.02), 1.01)
        panels[-1].set_xlabel("share of test samples whose true class is in the set")
    return figure


def abstention_curves(curves: pd.DataFrame) -> Figure:
    """Accuracy by share of test samples answered, with a dot for the abstention rule."""
    heads = _heads(curves)
    with rc_context(STYLE):
        figure = Figure(figsize=(4.2 * len(heads), 3.6), layout="constrained")
        panels = figure.subplots(1, len(heads), squeeze=False)[0]
        for axes, head in zip(panels, heads, strict=True):
            rows = curves[curves["head"] == head]
            curve, rule = (rows[rows["rule"] == name] for name in ("confidence", "abstention"))
            axes.plot(curve["share"], curve["accuracy"], color=PALETTE[0])
            axes.scatter(rule["share"], rule["accuracy"], color=PALETTE[1], zorder=3, clip_on=False)
            found = rule.iloc[0]
            axes.set_title(head_title(head))
            axes.set_xlabel(
                f"share answered, most certain first\n"
                f"dot: as used, {found['share']:.1%} answered, {found['accuracy']:.1%} right"
            )
            axes.set_ylabel("accuracy of the answers")
            axes.set_xlim(0, 1)
            axes.set_ylim(min(0.9, float(rows["accuracy"].min()) - 0.02), 1.002)
            axes.grid()
    return figure


def novelty_scores(novelty: pd.DataFrame) -> Figure:
    """Distribution of the novelty score of validation and test samples, 1 being the limit."""
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        axes = figure.subplots()
        top = max(1.3, float(novelty["score"].max()) * 1.05)
        edges = np.linspace(0, top, 41).tolist()
        for part, colour in (("validation", GREY), ("test", KEPT)):
            scores = novelty.loc[novelty["split"] == part, "score"]
            beyond = float((scores > 1).mean()) if len(scores) else 0.0
            axes.hist(
                scores,
                bins=edges,
                color=colour,
                alpha=0.6,
                label=f"{part}: {beyond:.1%} of {len(scores):,} beyond the limit",
            )
        axes.axvline(1, color=DROPPED, linewidth=1.5)
        axes.set_xlabel("novelty score (above 1: like nothing in training)")
        axes.set_ylabel("samples")
        axes.legend()
    return figure


def missing_genes(curve: pd.DataFrame) -> Figure:
    """Accuracy on test samples against the share of genes missing, and the share refused."""
    rows = curve[curve["split"] == "test"]
    heads = _heads(rows)
    limit = 1 - least_genes(curve)
    with rc_context(STYLE):
        figure = Figure(figsize=(4.2 * len(heads), 3.6), layout="constrained")
        panels = figure.subplots(1, len(heads), squeeze=False)[0]
        for axes, head in zip(panels, heads, strict=True):
            part = rows[rows["head"] == head]
            for number, (kind, title) in enumerate(KINDS.items()):
                line = part[part["kind"].isin(["none", kind])].sort_values("missing")
                axes.plot(
                    line["missing"],
                    line["accuracy"],
                    marker="os"[number],
                    linestyle=("-", "--")[number],
                    color=PALETTE[number],
                    markersize=4,
                    label=title,
                )
            axes.axvspan(limit, 1, color="#EEEEEE", zorder=0)
            axes.set_title(head_title(head))
            axes.set_xlabel("share of the genes missing (grey: refused)")
            axes.set_ylabel("accuracy")
            axes.set_xlim(0, 1)
            axes.set_ylim(min(0.8, float(part["accuracy"].min()) - 0.02), 1.005)
            axes.grid()
        panels[0].legend(loc="lower left")
    return figure
