"""A plot of the paper's figures beside those of a run, for a page."""

import math
from typing import Any

from markupsafe import Markup

from tissuestate.report.render import render, with_interval

ROW, HEADING, GAP, AXIS = 22, 22, 12, 40  # px
LEFT, RIGHT = 140, 20  # px beside the axis


def paper_intervals(totals: list[dict[str, Any]]) -> Markup:
    """The SVG of a run's scores with their intervals and the paper's, a group per question.

    totals: of `paper_facts`, sorted by question.
    """
    values = [row[name] for row in totals for name in ("paper", "ours", "low")]
    start = math.floor(10 * min([0.9, *(v for v in values if not math.isnan(v))])) / 10
    top, groups = 16.0, []
    for head in dict.fromkeys(row["head"] for row in totals):
        rows = [row for row in totals if row["head"] == head]
        first = top + GAP + ROW / 2
        drawn = [_row(row, start, first + ROW * place) for place, row in enumerate(rows)]
        groups.append({"head": head, "top": top, "rows": drawn})
        top += GAP + ROW * len(rows) + HEADING
    steps = round((1 - start) / 0.1)
    ticks = [1 - 0.1 * step for step in range(0, steps + 1, 2 if steps > 3 else 1)]
    facts = {
        "groups": groups,
        "ticks": [{"value": value, "place": _place(value, start)} for value in ticks],
        "left": LEFT,
        "right": RIGHT,
        "height": top - HEADING + AXIS,
    }
    return Markup(render("paper.svg.j2", facts))


def _row(row: dict[str, Any], start: float, middle: float) -> dict[str, Any]:
    ours = with_interval(row["ours"], row["low"], row["high"])
    return {
        "metric": row["metric"],
        "middle": middle,
        "text": f"{ours}, the paper {row['paper']:.3f}",
        "places": {name: _place(row[name], start) for name in ("paper", "ours", "low", "high")},
    }


def _place(value: float, start: float) -> float | None:
    """The place of a score on the axis, 0 at its start, 1 at its end; None if it is not known."""
    return None if math.isnan(value) else (value - start) / (1 - start)
