"""The style of all figures of the report: colours, markers, hover texts, and how one is written.

Every colour has a contrast of at least 3 against white (texts: 4.5), and any two of the palette
differ in the three common colour vision deficiencies. Blue and vermilion differ in grey, too; other
classes change their marker together with their colour, so that shape tells them apart.
Nothing here touches pyplot's global state, and `save` writes the same bytes for the same figure.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tissuestate.files import atomic

PALETTE = ("#005A94", "#D55E00", "#6E7850", "#6E14BE", "#1A1A1A")
MARKERS = ("o", "^", "s", "D", "v", "P")
KEPT, DROPPED = PALETTE[0], PALETTE[1]
GREY, TEXT_GREY = "#8C8C8C", "#595959"  # of marks, and of texts
WIDTH = 9.6  # inches: as wide as a page of the report, so that letters keep their size
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "figure.titlesize": 11,
    "figure.titleweight": "bold",
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": TEXT_GREY,
    "axes.edgecolor": TEXT_GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#E0E0E0",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "svg.fonttype": "none",
    "svg.hashsalt": "tissuestate",
}
DPI = 150
HOVER = "hover:"
_METADATA = {"png": {"Software": None}, "svg": {"Date": None}}


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of this many inches with its title, laid out by constraints."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, x=0.06 / width, ha="left")
    return figure


def save(figure: Figure, path: str | Path, of: str = "", simulated: bool = False) -> None:
    """Write `figure` to `path`, a png at 150 dpi or an svg, without a time stamp.

    of: whose figure it is, such as a model; it is written into the upper right corner, with a
    warning if the data are simulated.
    """
    kind = Path(path).suffix.lower().lstrip(".")
    notes = [*([of] if of else []), *(["simulated data"] if simulated else [])]
    with rc_context(STYLE), atomic(path) as temporary:
        if notes:
            inset = 0.06 / figure.get_figwidth(), 0.06 / figure.get_figheight()
            note = figure.text(1 - inset[0], 1 - inset[1], " · ".join(notes), ha="right", va="top")
            note.set_color(TEXT_GREY)
            note.set_in_layout(False)
        figure.savefig(temporary, dpi=DPI, metadata=_METADATA[kind], format=kind)
        if kind == "svg":
            text = Path(temporary).read_text(encoding="utf-8")
            Path(temporary).write_text(_for_pages(text, figure), encoding="utf-8")


def _for_pages(svg: str, figure: Figure) -> str:
    """An SVG as a page takes it in: with hover texts and a name, and without ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(rf'<g id="{HOVER}([^"]*)">', r"<g><title>\1</title>", svg)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = svg.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    name = figure.get_suptitle().replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    least = round(0.7 * 96 * figure.get_figwidth())
    look = f"max-width:100%;min-width:{least}px;height:auto"
    return svg.replace("<svg ", f'<svg role="img" aria-label="{name}" style="{look}" ', 1)


def hover(artist: Artist, text: str) -> None:
    """Give a mark a text that an SVG shows while the pointer is on it."""
    artist.set_gid(HOVER + text)


def draw_row(
    axes: Axes, place: float, row: pd.Series, text: str, colour: str = KEPT, fill: str | None = None
) -> None:
    """Draw the interval of a row as a line and its value as a dot, with a text on hover.

    row: value and, if known, low and high. fill: of the dot; its colour if None.
    """
    value = float(row["value"])
    low, high = (float(row.get(side, np.nan)) for side in ("low", "high"))
    hover(axes.axhspan(place - 0.5, place + 0.5, color="white", linewidth=0, zorder=0), text)
    if low <= high:
        hover(axes.plot([low, high], [place, place], color=colour, linewidth=1.6)[0], text)
    look: dict[str, Any] = {"color": colour, "markersize": 6, "markerfacecolor": fill or colour}
    hover(axes.plot(value, place, "o", clip_on=False, zorder=3, **look)[0], text)


def class_colour(index: int) -> str:
    """The colour of a class by its number."""
    return PALETTE[index % len(PALETTE)]


def class_marker(index: int) -> str:
    """The marker of a class by its number; with its colour, it is that of no other of 30."""
    return MARKERS[index % len(MARKERS)]


def show_message(axes: Axes, why: str) -> None:
    """Write on an empty panel why it is empty."""
    axes.set_axis_off()
    place: dict[str, Any] = {"ha": "center", "va": "center", "transform": axes.transAxes}
    axes.text(0.5, 0.5, why, color=TEXT_GREY, **place)
