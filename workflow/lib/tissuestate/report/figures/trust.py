"""Figures on how far the calls can be trusted: sets, wrong answers, novelty, missing genes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tissuestate.evaluation.missing_genes import least_genes
from tissuestate.evaluation.sets import LEVEL
from tissuestate.report.figures.style import (
    DROPPED,
    KEPT,
    STYLE,
    TEXT_GREY,
    WIDTH,
    draw_row,
    hover,
    new_figure,
    show_message,
)
from tissuestate.report.wording import HEADS as TITLES
from tissuestate.report.wording import class_label, head_title

KINDS = {
    "random": ("random genes", KEPT, "o", "-"),
    "faint": ("the faintest genes", DROPPED, "s", "--"),
}


def _heads(table: pd.DataFrame) -> list[str]:
    return [head for head in TITLES if (table["head"] == head).any()]


def set_coverage(sets: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Coverage of the sets with its interval, by head and tissue, and the sets' size.

    names: plain names of tissues.
    """
    heads = _heads(sets)
    sizes = [int((sets["head"] == head).sum()) for head in heads]
    with rc_context(STYLE):
        height = 1.1 + 0.22 * sum(sizes) + 0.45 * len(sizes)
        figure = new_figure(7.6, height, f"Do {LEVEL:.0%} sets hold the true class?")
        panels = figure.subplots(
            len(heads), 1, squeeze=False, sharex=True, height_ratios=[size + 1 for size in sizes]
        )[:, 0]
        for axes, head in zip(panels, heads, strict=True):
            rows = sets[sets["head"] == head].rename(columns={"coverage": "value"})
            labels = [class_label(x, names) if x else "all samples" for x in rows["tissue"]]
            axes.axvline(LEVEL, color=DROPPED, linewidth=1.4, linestyle="--")
            for place, (name, (_, row)) in enumerate(zip(labels, rows.iterrows(), strict=True)):
                text = f"{name}: {row['value']:.1%} of {row['samples']} (95 % interval "
                text += f"{row['low']:.1%} to {row['high']:.1%})"
                draw_row(axes, -place, row, text, TEXT_GREY if row["tissue"] else KEPT)
            axes.set_yticks(
                -np.arange(len(rows)),
                [f"{x} ({n})" for x, n in zip(labels, rows["samples"], strict=True)],
            )
            axes.tick_params(axis="y", length=0)
            axes.set_title(f"{head_title(head)}: {rows['size'].iloc[0]:.2f} classes per set")
            axes.set_ylim(0.4 - len(rows), 0.6)
            axes.grid(axis="x")
        panels[-1].set_xlim(np.floor(20 * min(0.85, float(sets["low"].min()))) / 20, 1)
        panels[-1].xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        panels[-1].set_xlabel(f"sets with the true class (dashed: the promised {LEVEL:.0%})")
    return figure


def wrong_answers(curves: pd.DataFrame) -> Figure:
    """Wrong answers among the most certain ones, by their number, and where answers end.

    `curves` has the columns head, rule, share, accuracy, n: of `confidence` for every number of
    answers, of `abstention` for the rule in use. A question without a wrong answer has a sentence.
    """
    heads = _heads(curves)
    curves = curves.assign(wrong=((1 - curves["accuracy"]) * curves["n"]).round())
    with rc_context(STYLE):
        height = 3.2 if curves["wrong"].any() else 1.3
        width = max(2.4 * len(heads), 6)
        figure = new_figure(width, height, "Wrong answers among the most certain")
        panels = figure.subplots(1, len(heads), squeeze=False)[0]
        for axes, head in zip(panels, heads, strict=True):
            axes.set_title(head_title(head))
            rows = curves[curves["head"] == head]
            curve, rule = (rows[rows["rule"] == name] for name in ("confidence", "abstention"))
            found, samples = rule.iloc[0], rows["n"].max()
            answered = f"{found['n']:.0f} of {samples:.0f} answered"
            if not rows["wrong"].any():
                show_message(axes, f"none wrong,\n{answered}")
                continue
            _draw_wrong(axes, curve["n"], curve["wrong"])
            said = f"{answered},\n{found['wrong']:.0f} of them wrong"
            dot = axes.plot(found["n"], found["wrong"], "o", color=DROPPED, clip_on=False, zorder=3)
            hover(dot[0], said.replace("\n", " "))
            axes.set_xlabel(f"answers, most certain first\ndot: {said}")
            axes.set_ylabel("wrong answers")
    return figure


def _draw_wrong(axes: Axes, answers: pd.Series, wrong: pd.Series) -> None:
    """Draw the steps of one question on axes that begin at zero and have whole ticks."""
    axes.step(answers, wrong, where="post", color=KEPT)
    axes.set_xlim(0, answers.max())
    axes.set_ylim(0, max(4.0, 1.1 * wrong.max()))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid()


def novelty_scores(novelty: pd.DataFrame) -> Figure:
    """Distribution of the novelty score of validation and of test samples, 1 being the limit."""
    with rc_context(STYLE):
        figure = new_figure(7.6, 3.8, "Novelty of samples of known classes")
        panels = figure.subplots(2, 1, sharex=True)
        edges = np.linspace(0, max(1.3, float(novelty["score"].max()) * 1.05), 41)
        for axes, part in zip(panels, ("validation", "test"), strict=True):
            scores = novelty.loc[novelty["split"] == part, "score"]
            counts, _ = np.histogram(scores, edges)
            for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
                bar = axes.bar(left, count, right - left, align="edge", color=KEPT, edgecolor="w")
                hover(bar[0], f"{count} samples with a score of {left:.2f} to {right:.2f}")
            beyond = f"{int((scores > 1).sum()):,} of {len(scores):,} beyond the limit"
            axes.set_title(f"{part.capitalize()} samples: {beyond}")
            axes.axvline(1, color=DROPPED, linewidth=1.4, linestyle="--")
            axes.set_ylabel("samples")
            axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        panels[1].set_xlabel(
            "novelty score (dashed: the limit; beyond it, like nothing in training)"
        )
    return figure


def missing_genes(curve: pd.DataFrame) -> Figure:
    """Accuracy on test samples against the share of genes missing, and the share refused."""
    rows = curve[curve["split"] == "test"]
    heads = _heads(rows)
    limit = 1 - least_genes(curve)
    with rc_context(STYLE):
        figure = new_figure(WIDTH if heads[2:] else 6.4, 3.4, "What missing genes cost")
        panels = figure.subplots(1, len(heads), squeeze=False)[0]
        for axes, head in zip(panels, heads, strict=True):
            part = rows[rows["head"] == head]
            for kind, (title, colour, marker, line) in KINDS.items():
                points = part[part["kind"].isin(["none", kind])].sort_values("missing")
                axes.plot(points["missing"], points["accuracy"], color=colour, linestyle=line)
                for missing, accuracy in points[["missing", "accuracy"]].to_numpy():
                    dot = axes.plot(missing, accuracy, marker, color=colour, markersize=5)[0]
                    hover(dot, f"{accuracy:.1%} right without {missing:.0%} of the genes ({title})")
                axes.plot([], [], marker, color=colour, linestyle=line, markersize=5, label=title)
            axes.axvspan(limit, 1, color="#E8E8E8", linewidth=0, zorder=0)
            axes.set_title(head_title(head))
            axes.set_xlabel("genes missing (grey: refused)")
            axes.set_xlim(0, 1)
            axes.set_ylim(min(0.9, float(part["accuracy"].min())) - 0.02, 1.005)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(lambda share, _: f"{share:.0%}")
            axes.grid()
        panels[0].set_ylabel("right")
        keys = panels[0].get_legend_handles_labels()
        figure.legend(*keys, loc="outside lower center", ncols=2)
    return figure
