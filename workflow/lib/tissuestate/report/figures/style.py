"""The style of all figures of the report: colours, markers, and how a figure is written.

Colours are those of Okabe and Ito, which people with any colour vision can distinguish; beyond
seven classes the marker or line style changes, too, so that no class depends on its colour alone.
Nothing here touches pyplot's global state, and `save` writes the same bytes for the same figure.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tissuestate.files import atomic

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "^", "s", "D")
LINES = ("-", "--", ":", "-.")
GREY = "#8C8C8C"
TEXT_GREY = "#595959"
KEPT, DROPPED = PALETTE[0], PALETTE[1]
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#E5E5E5",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "svg.hashsalt": "tissuestate",
}
DPI = 150


def save(figure: Figure, path: str | Path) -> None:
    """Write `figure` to `path` (png, svg or pdf by suffix), at 150 dpi, without a time stamp."""
    suffix = Path(path).suffix.lower()
    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with rc_context(STYLE), atomic(path) as temporary:
        figure.savefig(
            temporary, dpi=DPI, metadata=metadata.get(suffix.lstrip(".")), format=suffix.lstrip(".")
        )


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this many inches, laid out by constraints."""
    return Figure(figsize=(width, height), layout="constrained")


def class_colour(index: int) -> str:
    """The colour of a class by its number."""
    return PALETTE[index % len(PALETTE)]


def class_marker(index: int) -> str:
    """The marker of a class by its number; it changes after every seven."""
    return MARKERS[index // len(PALETTE) % len(MARKERS)]


def class_line(index: int) -> str:
    """The line style of a class by its number; it changes after every seven."""
    return LINES[index // len(PALETTE) % len(LINES)]


def show_message(axes: Axes, why: str) -> None:
    """Write on an empty panel why it is empty."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, why, ha="center", va="center", color=GREY, transform=axes.transAxes)


def whiskers(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of the interval below and above the value; zero if no interval is known."""
    value = rows["value"].to_numpy(float)
    low = rows["low"].to_numpy(float) if "low" in rows else value
    high = rows["high"].to_numpy(float) if "high" in rows else value
    below = np.clip(np.nan_to_num(value - low), 0, None)
    above = np.clip(np.nan_to_num(high - value), 0, None)
    return below, above
