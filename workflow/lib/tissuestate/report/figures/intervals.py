"""A plot of shares with their exact intervals, by question and model, for a page."""

import math
import textwrap
from typing import Any

import pandas as pd
from markupsafe import Markup

from tissuestate.labels import PAPER_MODEL
from tissuestate.report.figures.style import KEPT, TEXT_GREY
from tissuestate.report.render import render
from tissuestate.report.shares import exact_interval
from tissuestate.report.wording import head_title, model_title

ROW, LINE = 22, 14  # px: a row, and a second line of its name
HEADING, GAP = 22, 12  # px: above and below a heading
AXIS, SIDE = 42, 22  # px: below and beside the axis
NAME, LETTER = 20, 8  # letters of a name before it is broken; px of a letter


def accuracy_intervals(table: pd.DataFrame, unit: str = "right") -> Markup:
    """The SVG of a dot and its interval per model, in a group per question.

    `table` has the columns question, model, right, samples, low, high, is_called and, if known,
    chance: the share of the question's commonest class. Rows are drawn in their order. All groups
    share one axis, which begins below the lowest interval; its width follows that of the page.
    unit: what the counted samples are, '' if the question says it. If all rows are called, none is
    marked.
    """
    start = math.floor(10 * min(0.9, float(table["low"].min()))) / 10
    steps = round((1 - start) / 0.1)
    # At most three labels, 100 % among them, have room on a phone.
    shares = [1 - 0.1 * step for step in range(0, steps + 1, math.ceil(steps / 2))]
    names = [line for model in table["model"] for line in _broken(model_title(model))]
    counts = table["samples"].map("{0:,} of {0:,}".format)
    top, groups = 16.0, []
    for question, rows in table.groupby("question", sort=False):
        groups.append(_group(str(question), rows, start, top))
        top = groups[-1]["bottom"] + HEADING + GAP
    facts = {
        "unit": unit,
        "marks_called": not table["is_called"].all(),
        "groups": groups,
        "ticks": [{"share": share, "place": _place(share, start)} for share in shares],
        "left": SIDE + LETTER * max(map(len, names)),
        "right": SIDE + LETTER * max(map(len, counts)),
        "height": groups[-1]["bottom"] + AXIS,
    }
    return Markup(render("intervals.svg.j2", facts))


def _group(question: str, rows: pd.DataFrame, start: float, top: float) -> dict[str, Any]:
    """The rows of a question, whose heading is at `top`."""
    bottom = top + GAP
    drawn = []
    for row in rows.to_dict("records"):
        drawn.append(_row(row, start, bottom))
        bottom += drawn[-1]["height"]
    chance = float(rows["chance"].iloc[0]) if "chance" in rows else math.nan
    return {
        "title": head_title(question),
        "top": top,
        "bottom": bottom,
        "rows": drawn,
        "chance": None if math.isnan(chance) else chance,
        "chance_place": _place(chance, start) if chance >= start else None,
    }


def _place(share: float, start: float) -> float:
    """The place of a share on the axis: 0 at its start, 1 at its end."""
    return (share - start) / (1 - start)


def _broken(name: str) -> list[str]:
    """The lines of a name."""
    return textwrap.wrap(name, NAME)


def _row(row: dict[Any, Any], start: float, top: float) -> dict[str, Any]:
    """A model's row, whose upper edge is at `top`."""
    share = row["right"] / row["samples"]
    name = model_title(row["model"])
    lines = _broken(name)
    height = ROW + LINE * (len(lines) - 1)
    places = {"low": row["low"], "share": share, "high": row["high"]}
    return {
        **row,
        "share": share,
        "name": name,
        "lines": lines,
        "height": height,
        "middle": top + height / 2,
        "thickness": 3 if row["is_called"] else 1.6,
        "colour": KEPT if row["is_called"] else TEXT_GREY,
        "places": {key: _place(value, start) for key, value in places.items()},
    }


def laboratory_intervals(answers: pd.DataFrame, laboratories: pd.Series) -> Markup:
    """The SVG of the shares answered and, of the answered, right, with a row for each laboratory.

    answers: of one question (`tabulate_answers`); laboratories: of each sample. The largest
    laboratories come first.
    """
    own = laboratories[answers.index]
    order = list(own.value_counts().index)
    kinds = {
        "answered": answers["answered"],
        "right, of the answered": answers.loc[answers["answered"], "right"],
    }
    rows = []
    for kind, values in kinds.items():
        found = values.astype(bool).groupby(own[values.index]).agg(["sum", "size"])
        for name in (name for name in order if name in found.index):
            right, samples = (int(number) for number in found.loc[name])
            rows.append((kind, name, right, samples, *exact_interval(right, samples)))
    columns = ["question", "model", "right", "samples", "low", "high"]
    table = pd.DataFrame(rows, columns=columns).assign(is_called=True)
    return accuracy_intervals(table, unit="")


def left_out_intervals(accuracies: pd.DataFrame) -> Markup:
    """The SVG of `accuracy_intervals` with a row for each part left out and model.

    accuracies: head, part ('' for the folds of a cross-validation), model, right, samples.
    """
    parts = accuracies["part"].replace("", "other donors")
    bounds = [
        exact_interval(right, samples)
        for right, samples in zip(accuracies["right"], accuracies["samples"], strict=True)
    ]
    return accuracy_intervals(
        accuracies.rename(columns={"head": "question"}).assign(
            model=parts + ", " + accuracies["model"].map(model_title),
            low=[low for low, _ in bounds],
            high=[high for _, high in bounds],
            is_called=accuracies["model"] == PAPER_MODEL,
        )
    )
