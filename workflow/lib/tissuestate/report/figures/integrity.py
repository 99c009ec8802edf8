"""Figures of RNA integrity: mRIN, coverage along transcripts, gene integrity scores."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tissuestate.report.figures.style import (
    DROPPED,
    KEPT,
    STYLE,
    TEXT_GREY,
    new_figure,
    show_message,
)


def mrin_distribution(qc: pd.DataFrame, threshold: float) -> Figure:
    """Distribution of mRIN, kept samples above and dropped ones below, with the threshold.

    `qc` has the columns sample, mrin, kept, reason; samples without an mRIN are counted in the
    title only.
    """
    known = qc.dropna(subset=["mrin"])
    kept = known["kept"].astype(bool)
    without = len(qc) - len(known)
    with rc_context(STYLE):
        title = f"RNA integrity (mRIN) of {len(known)} samples"
        title += f" ({without} without reads)" if without else ""
        figure = new_figure(7.6, 3.8, title)
        if known.empty:
            show_message(figure.subplots(), "No sample has reads: no mRIN was computed.")
            return figure
        values = known["mrin"].to_numpy(float)
        low, high = min(values.min(), threshold), max(values.max(), threshold)
        bins = np.linspace(low, high + 1e-9, 41).tolist()
        panels = figure.subplots(2, 1, sharex=True)
        for axes, chosen, name, colour in (
            (panels[0], kept, "Kept", KEPT),
            (panels[1], ~kept, "Dropped", DROPPED),
        ):
            axes.hist(values[chosen], bins=bins, color=colour, edgecolor="white")
            axes.axvline(threshold, color="black", linestyle="--", linewidth=1.2)
            axes.set_title(f"{name}: {chosen.sum()}")
            axes.set_ylabel("samples")
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=2))
        panels[1].set_xlabel(f"mRIN, lower: more degraded (dashed: the threshold, {threshold:g})")
    return figure


def gene_body_coverage(coverage: pd.DataFrame, qc: pd.DataFrame) -> Figure:
    """Mean relative coverage along transcripts, 5′ to 3′, with one line per sample.

    Kept samples are left, dropped samples right. `coverage` is samples × bins (index sample), `qc`
    has the columns sample, kept.
    """
    kept = qc.set_index("sample")["kept"].astype(bool)
    with rc_context(STYLE):
        figure = new_figure(7.6, 3.6, "Coverage along transcripts")
        panels = figure.subplots(1, 2, sharey=True)
        position = np.linspace(0, 100, coverage.shape[1]) if coverage.shape[1] else np.array([])
        for axes, flag, name, colour in zip(
            panels, (True, False), ("Kept", "Dropped"), (KEPT, DROPPED), strict=True
        ):
            names = [sample for sample in coverage.index if kept.get(sample, True) == flag]
            lines = coverage.loc[names].to_numpy(float)
            axes.set_title(f"{name}: {len(names)}")
            if len(names):
                transparent = float(np.clip(20 / len(names), 0.1, 0.8))
                axes.plot(position, lines.T, color=colour, alpha=transparent, linewidth=0.8)
                axes.plot(position, np.nanmedian(lines, axis=0), color="black", linewidth=2)
            axes.set_xlabel("position in the transcript, %, 5′ to 3′")
            axes.set_xlim(0, 100)
            axes.grid(axis="y")
        panels[0].set_ylabel("mean relative coverage")
        panels[0].set_ylim(bottom=0)
        median = Line2D([], [], color="black", linewidth=2, label="median of the samples")
        panels[1].legend(handles=[median], loc="upper left")
    return figure


def gis_histogram(gis: pd.DataFrame) -> Figure:
    """Distribution of the gene integrity score (column gis) over transcripts."""
    values = gis["gis"].dropna().to_numpy(float)
    with rc_context(STYLE):
        figure = new_figure(7.6, 3.0, f"Gene integrity score of {len(values)} transcripts")
        axes = figure.subplots()
        if not len(values):
            show_message(axes, "No transcript has a score.")
            return figure
        median = float(np.median(values))
        axes.hist(values, bins=np.linspace(-1, 1, 41).tolist(), color=KEPT, edgecolor="white")
        axes.axvline(median, color=DROPPED, linestyle="--", linewidth=1.6)
        top, said = axes.get_xaxis_transform(), f"median {median:.2f}"
        axes.text(median + 0.02, 1, said, va="top", color=TEXT_GREY, transform=top)
        axes.set_xlim(-1, 1)
        axes.set_xlabel("correlation of the transcript's 3′ bias with the sample's mRIN")
        axes.set_ylabel("transcripts")
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    return figure
