"""Figures of RNA integrity: mRIN, coverage along transcripts, gene integrity scores."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tissuestate.report.figures.style import (
    DROPPED,
    KEPT,
    PALETTE,
    STYLE,
    new_figure,
    show_message,
)


def mrin_distribution(qc: pd.DataFrame, threshold: float) -> Figure:
    """Distribution of mRIN, with the threshold; dropped samples have their own colour.

    `qc` has the columns sample, mrin, kept, reason; samples without an mRIN are counted in the
    title only.
    """
    known = qc.dropna(subset=["mrin"])
    kept = known["kept"].astype(bool)
    with rc_context(STYLE):
        figure = new_figure(8.5, 4.4)
        axes = figure.subplots()
        without = len(qc) - len(known)
        axes.set_title(
            f"mRIN of {len(known)} samples" + (f" ({without} without reads)" if without else "")
        )
        if known.empty:
            show_message(axes, "no sample has reads: no mRIN was computed")
            return figure
        values = known["mrin"].to_numpy(float)
        low, high = min(values.min(), threshold), max(values.max(), threshold)
        bins = np.linspace(low, high + 1e-9, 41).tolist()
        counts, _, _ = axes.hist(
            [values[kept], values[~kept]],
            bins=bins,
            stacked=True,
            color=[KEPT, DROPPED],
            label=[f"kept ({kept.sum()})", f"dropped ({(~kept).sum()})"],
        )
        tallest = float(np.max(counts))
        axes.axvline(threshold, color="black", linestyle="--", linewidth=1.2)
        axes.text(threshold, tallest * 1.12, f" threshold {threshold:g}", ha="left", va="top")
        axes.set_ylim(0, tallest * 1.15)
        rug = -0.035 * tallest * 1.15
        for flag, colour in ((kept, KEPT), (~kept, DROPPED)):
            axes.plot(
                values[flag],
                np.full(flag.sum(), rug),
                "|",
                color=colour,
                markersize=7,
                clip_on=False,
            )
        axes.tick_params(axis="x", pad=9)
        axes.set_xlabel("mRIN (lower: more 3′ bias, more degraded)")
        axes.set_ylabel("samples")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def gene_body_coverage(coverage: pd.DataFrame, qc: pd.DataFrame) -> Figure:
    """Mean relative coverage along transcripts, 5′ to 3′, with one line per sample.

    Kept samples are left, dropped samples right. `coverage` is samples × bins (index sample), `qc`
    has the columns sample, kept.
    """
    kept = qc.set_index("sample")["kept"].astype(bool)
    with rc_context(STYLE):
        figure = new_figure(8.5, 4.0)
        panels = figure.subplots(1, 2, sharey=True)
        position = np.linspace(0, 100, coverage.shape[1]) if coverage.shape[1] else np.array([])
        for axes, flag, name, colour in zip(
            panels, (True, False), ("Kept", "Dropped"), (KEPT, DROPPED), strict=True
        ):
            names = [sample for sample in coverage.index if kept.get(sample, True) == flag]
            lines = coverage.loc[names].to_numpy(float)
            axes.set_title(f"{name} ({len(names)})")
            if len(names):
                transparent = float(np.clip(6 / len(names), 0.03, 0.6))
                axes.plot(position, lines.T, color=colour, alpha=transparent, linewidth=0.8)
                axes.plot(position, np.nanmedian(lines, axis=0), color="black", linewidth=2)
            axes.set_xlabel("position in transcript, % (5′ → 3′)")
            axes.set_xlim(0, 100)
            axes.grid(axis="y")
        panels[0].set_ylabel("mean relative coverage")
        panels[0].set_ylim(bottom=0)
        panels[1].legend(
            handles=[Line2D([], [], color="black", linewidth=2, label="median")], loc="upper left"
        )
    return figure


def gis_histogram(gis: pd.DataFrame) -> Figure:
    """Distribution of the gene integrity score (column gis) over transcripts."""
    values = gis["gis"].dropna().to_numpy(float)
    with rc_context(STYLE):
        figure = new_figure(6.0, 3.6)
        axes = figure.subplots()
        axes.set_title(f"Gene integrity score of {len(values)} transcripts")
        if not len(values):
            show_message(axes, "no transcript has a score")
            return figure
        axes.hist(values, bins=np.linspace(-1, 1, 41).tolist(), color=PALETTE[0])
        axes.axvline(float(np.median(values)), color="black", linestyle="--", linewidth=1.2)
        axes.set_xlabel("correlation of the transcript's 3′ bias with the sample's mRIN")
        axes.set_ylabel("transcripts")
    return figure
