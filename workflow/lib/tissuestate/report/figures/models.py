"""Figures of the training of the networks: learning curves and the search."""

from collections.abc import Mapping

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from tissuestate.report.figures.style import (
    DROPPED,
    GREY,
    KEPT,
    PALETTE,
    STYLE,
    new_figure,
    show_message,
)
from tissuestate.report.wording import head_title


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Loss and accuracy by epoch; a row per network has panels for loss and for each head.

    Each history has the columns epoch, loss (training), validation_loss, and
    `{head}_validation_accuracy`. The kept weights are those with the smallest `validation_loss`.
    """
    suffix = "_validation_accuracy"
    heads = {
        name: [column.removesuffix(suffix) for column in history if column.endswith(suffix)]
        for name, history in histories.items()
    }
    widest = 1 + max((len(found) for found in heads.values()), default=0)
    with rc_context(STYLE):
        figure = new_figure(4.2 * widest, 3.2 * max(len(histories), 1))
        grid = figure.subplots(max(len(histories), 1), widest, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for panels, (name, history) in zip(grid, histories.items(), strict=False):
            best = int(history.loc[history["validation_loss"].idxmin(), "epoch"])
            epoch = history["epoch"]
            panels[0].plot(epoch, history["loss"], color=GREY, label="training")
            panels[0].plot(epoch, history["validation_loss"], color=KEPT, label="validation")
            panels[0].set_title(f"{name.capitalize()} network: cross-entropy")
            for axes, head in zip(panels[1:], heads[name], strict=False):
                axes.plot(epoch, history[head + suffix], color=KEPT, label="validation")
                axes.set_title(f"{head_title(head)}: accuracy")
                axes.set_ylim(top=1.005)
            for axes in panels[: 1 + len(heads[name])]:
                axes.set_axis_on()
                axes.axvline(best, color=DROPPED, linestyle=":", label=f"kept: epoch {best}")
                axes.set_xlabel("epoch")
                axes.grid(axis="y")
                axes.legend()
    return figure


def tuning_history(trials: Mapping[str, pd.DataFrame]) -> Figure:
    """Loss of every trial of a search, and the best so far, one panel per network.

    Each table has the columns number and loss; missing losses are trials that failed.
    """
    with rc_context(STYLE):
        figure = new_figure(5.2 * max(len(trials), 1), 3.4)
        panels = figure.subplots(1, max(len(trials), 1), squeeze=False)[0]
        for axes, (name, table) in zip(panels, trials.items(), strict=False):
            done = table.dropna(subset=["loss"]).sort_values("number")
            axes.set_title(name)
            if done.empty:
                show_message(axes, "no finished trial")
                continue
            axes.scatter(done["number"], done["loss"], s=18, color=PALETTE[5], label="trial")
            axes.step(
                done["number"],
                done["loss"].cummin(),
                where="post",
                color=PALETTE[0],
                label="best so far",
            )
            if done["loss"].max() > 20 * max(done["loss"].median(), 1e-9):
                axes.set_yscale("log")
            axes.set_xlabel("trial")
            axes.set_ylabel("validation cross-entropy")
            axes.grid(axis="y")
            axes.legend()
    return figure
