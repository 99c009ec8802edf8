"""The figure of the classes that a model called, by true class."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tissuestate.report.figures.style import (
    DROPPED,
    KEPT,
    STYLE,
    TEXT_GREY,
    WIDTH,
    hover,
    new_figure,
    show_message,
)
from tissuestate.report.wording import class_label, class_title, head_title

CELL = 0.3  # inches at most
LETTER, SPACE = 0.067, 0.22  # inches: a letter, and beside a name
TOP, HEADING = 0.55, 0.35  # inches: above the panels, and above each


def confusion_matrices(
    confusion: pd.DataFrame, classes: Mapping[str, Sequence[str]], names: Mapping[str, str]
) -> Figure:
    """Confusion matrices, one panel per head: counts in the cells, coloured by share of the row.

    `confusion` has the columns head, true, called, count; `names` are plain names of classes.
    Panels follow each other from left to right, and in a new row if the figure is full.
    """
    heads = [head for head in classes if (confusion["head"] == head).any()]
    title = "Classes called on test samples"
    with rc_context(STYLE):
        if not heads:
            figure = new_figure(6, 2, title)
            show_message(figure.subplots(), "no test sample to show")
            return figure
        labels = {head: [class_label(name, names) for name in classes[head]] for head in heads}
        counts = {
            head: _count_calls(confusion[confusion["head"] == head], classes[head])
            for head in heads
        }
        most = max(table.sum(axis=1).max() for table in counts.values())
        boxes, height = _place_panels(labels, len(_record(most, most)))
        figure = Figure(figsize=(WIDTH, height))
        figure.suptitle(title, x=0.06 / WIDTH, y=1 - 0.06 / height, ha="left", va="top")
        figure.text(
            *(0.06 / WIDTH, 1 - 0.3 / height),
            "rows: true class; columns: class called; blue: right, orange: wrong, darker: larger "
            "share of the row",
            va="top",
            color=TEXT_GREY,
        )
        for head, (left, top, size) in boxes.items():
            box = (left / WIDTH, 1 - (top + size) / height, size / WIDTH, size / height)
            axes = figure.add_axes(box)
            titles = [class_title(name, names) for name in classes[head]]
            _draw_panel(axes, counts[head], labels[head], titles, size / len(titles))
            axes.set_title(head_title(head))
    return figure


def _place_panels(
    labels: Mapping[str, Sequence[str]], letters: int
) -> tuple[dict[str, tuple[float, float, float]], float]:
    """Left, top and size of each panel in inches, and the height of the figure.

    letters: of the longest text beside a row.
    """
    beside = SPACE + LETTER * letters
    boxes: dict[str, tuple[float, float, float]] = {}
    rooms = {head: SPACE + LETTER * max(map(len, names)) for head, names in labels.items()}
    room = max(rooms.values())
    left, top, bottom = 0.0, TOP, TOP
    for head, names in labels.items():
        size = len(names) * min(CELL, (WIDTH - room - beside) / len(names))
        width = room + max(size, 3 * CELL) + beside
        if left + width > WIDTH:
            left, top = 0.0, bottom
        boxes[head] = (left + room, top + HEADING, size)
        left, bottom = left + width, max(bottom, top + HEADING + size + rooms[head])
    return boxes, bottom


def _count_calls(rows: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Samples by true class (rows) and class called (columns)."""
    table = rows.pivot_table(index="true", columns="called", values="count", aggfunc="sum")
    return table.reindex(index=classes, columns=classes).fillna(0).to_numpy(int)


def _record(right: int, of: int) -> str:
    """What stands beside a row: how many of its samples are right."""
    return f"{right:,} of {of:,}" if of else "no sample"


def _draw_panel(
    axes: Axes, counts: np.ndarray, labels: Sequence[str], titles: Sequence[str], cell: float
) -> None:
    """Draw one matrix, and beside it how many of each row are right; `cell` is in inches."""
    support = counts.sum(axis=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        count, share = counts[row, column], counts[row, column] / support[row]
        fill = shade(KEPT if row == column else DROPPED, share)
        patch = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=fill, edgecolor="white")
        said = f"{count:,} of {support[row]:,} ({share:.0%})"
        text = f"true {titles[row]}, called {titles[column]}: {said}"
        hover(axes.add_patch(patch), text)
        number = axes.text(column, row, str(count), ha="center", va="center", color=ink_on(fill))
        number.set_fontsize(min(8, 95 * cell / max(3, len(str(count)))))  # four digits fit, too
        hover(number, text)
    for row, of in enumerate(support):
        record = _record(counts[row, row], of)
        axes.text(len(labels) - 0.35, row, record, va="center", fontsize=8, color=TEXT_GREY)
    axes.set_facecolor("#F5F5F5")
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(length=0, labelsize=9 if cell > 0.2 else 7)
    axes.spines[:].set_visible(False)


def shade(colour: str, share: float) -> str:
    """A colour between a pale tint, for a share near 0, and `colour` itself, for all."""
    part = 0.12 + 0.88 * share
    red, green, blue = (1 - part * (1 - value) for value in to_rgb(colour))
    return to_hex((red, green, blue))


def ink_on(fill: str) -> str:
    """Black or white, whichever has the larger contrast on a colour."""
    return "white" if luminance(fill) < 0.179 else "black"


def luminance(colour: str) -> float:
    """The relative luminance of a colour, as WCAG 2 defines it."""
    parts = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
