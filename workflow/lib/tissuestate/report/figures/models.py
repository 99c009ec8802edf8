"""Figures of the training of the networks: learning curves and the search."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tissuestate.report.figures.style import (
    DROPPED,
    GREY,
    KEPT,
    STYLE,
    WIDTH,
    hover,
    new_figure,
    show_message,
)
from tissuestate.report.wording import head_title


def kept_epoch(history: pd.DataFrame) -> int:
    """The epoch whose weights are kept; 0 is the logistic regression that training begins as."""
    return int(history.loc[history["validation_loss"].idxmin(), "epoch"])


def learning_curves(history: pd.DataFrame) -> Figure:
    """Loss and accuracy of a network by epoch, a panel for the loss and one for each head.

    `history` has the columns epoch, loss (training), validation_loss, and
    `{head}_validation_accuracy`. The kept weights are those with the smallest `validation_loss`.
    """
    suffix = "_validation_accuracy"
    heads = [column.removesuffix(suffix) for column in history if column.endswith(suffix)]
    best, epoch = kept_epoch(history), history["epoch"]
    kept = f"kept: epoch {best}"
    if best == 0:
        kept += ", the logistic regression that training began as"
    with rc_context(STYLE):
        figure = new_figure(WIDTH if heads[1:] else 7.2, 3.4, "Learning curves")
        panels = figure.subplots(1, 1 + len(heads), squeeze=False)[0]
        panels[0].plot(epoch, history["loss"], color=GREY, linestyle="--", label="training")
        panels[0].plot(epoch, history["validation_loss"], color=KEPT, label="validation")
        panels[0].set_title("Loss")
        panels[0].set_ylabel("cross-entropy")
        for axes, head in zip(panels[1:], heads, strict=True):
            axes.plot(epoch, 100 * history[head + suffix], color=KEPT, label="validation")
            axes.set_title(head_title(head))
            axes.set_ylabel("right, % of validation samples")
            axes.set_ylim(top=100.5)
        for axes in panels:
            line = axes.axvline(best, color=DROPPED, linestyle=":", linewidth=1.8, label=kept)
            hover(line, kept)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.grid(axis="y")
        keys = panels[0].get_legend_handles_labels()
        figure.legend(*keys, loc="outside lower center", ncols=len(keys[0]))
    return figure


def tuning_history(trials: pd.DataFrame) -> Figure:
    """Loss of every trial of a search, and the best so far; a sentence if all are equal.

    `trials` has the columns number and loss; missing losses are trials that failed.
    """
    done = trials.dropna(subset=["loss"]).sort_values("number")
    with rc_context(STYLE):
        figure = new_figure(7.2, 3.2, "Search for hyper-parameters")
        axes = figure.subplots()
        losses = done["loss"].to_numpy(float)
        if done.empty:
            show_message(axes, "No trial finished.")
        elif np.ptp(losses) < 5e-4 * max(abs(losses).max(), 1e-9):
            figure.set_figheight(1.2)
            same = f"All {len(done)} trials have" if len(done) > 1 else "The only trial has"
            show_message(axes, f"{same} the same loss, {losses[0]:.4f}: nothing to choose between.")
        else:
            axes.step(
                done["number"], done["loss"].cummin(), where="post", color=KEPT, label="best so far"
            )
            for number, loss in zip(done["number"], losses, strict=True):
                dot = axes.plot(number, loss, "o", color=GREY, markersize=5)[0]
                hover(dot, f"trial {number}: {loss:.4f}")
            dot.set_label("trial")
            if losses.max() > 20 * max(np.median(losses), 1e-9):
                axes.set_yscale("log")
            axes.set_xlabel("trial")
            axes.set_ylabel("validation cross-entropy")
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            axes.grid(axis="y")
            axes.legend()
    return figure
