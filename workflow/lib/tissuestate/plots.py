"""Figures of the report: each function takes tables and returns a matplotlib figure.

Colours are those of Okabe and Ito, which people with any colour vision can tell apart; beyond
seven classes the marker or line style changes too, so that no class rests on its colour alone.
Nothing here touches pyplot's global state, and `save` writes the same bytes for the same figure.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from tissuestate.calibrate import calibration_error
from tissuestate.files import atomic
from tissuestate.reliance import shown_probabilities
from tissuestate.sheet import HEADS, STATES
from tissuestate.tasks import encode
from tissuestate.wording import HEADS as TITLES
from tissuestate.wording import MODELS, head_title, measure_title, model_title

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "^", "s", "D")
LINES = ("-", "--", ":", "-.")
GREY = "#8C8C8C"
INSET_FROM = 0.95  # area of every curve from which an inset covers none of them
KEPT, DROPPED = PALETTE[0], PALETTE[1]
STAGES = {"before": GREY, "after": PALETTE[0]}
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


def _models(table: pd.DataFrame) -> list[str]:
    """The models of a table, the known ones first and in the usual order."""
    present = list(dict.fromkeys(table["model"]))
    return sorted(present, key=lambda model: [*MODELS, model].index(model))


def _new(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _colour(index: int) -> str:
    return PALETTE[index % len(PALETTE)]


def _marker(index: int) -> str:
    return MARKERS[index // len(PALETTE) % len(MARKERS)]


def _line(index: int) -> str:
    return LINES[index // len(PALETTE) % len(LINES)]


def _say_nothing_to_show(axes: Axes, why: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, why, ha="center", va="center", color=GREY, transform=axes.transAxes)


def confusion_matrices(confusion: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> Figure:
    """Confusion matrices, a panel a head: counts in the cells, colour is the share of the row.

    `confusion` has the columns head, true, called, count. The head with most classes takes the
    left column, the others are stacked on the right.
    """
    heads = [head for head in classes if (confusion["head"] == head).any()]
    if not heads:
        with rc_context(STYLE):
            figure = _new(6, 3)
            _say_nothing_to_show(figure.subplots(), "no test sample to show")
        return figure
    largest = max(heads, key=lambda head: len(classes[head]))
    columns = [[largest], [head for head in heads if head != largest]]
    columns = [column for column in columns if column]
    cell, letter, gap = 0.52, 0.082, 0.75

    def label_room(head: str) -> float:
        return 0.45 + letter * max(len(name) for name in classes[head])

    def height(head: str) -> float:
        return cell * len(classes[head]) + label_room(head) + gap

    def width(head: str) -> float:
        return cell * max(len(classes[head]), 3) + label_room(head) + 0.5

    total_width = sum(max(width(head) for head in column) for column in columns)
    total_height = max(sum(height(head) for head in column) for column in columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(total_width, total_height))
        left = 0.0
        for column in columns:
            top = total_height
            for head in column:
                names = list(classes[head])
                size = cell * len(names)
                box = (left + label_room(head), top - gap + 0.25 - size, size, size)
                axes = figure.add_axes(
                    (
                        box[0] / total_width,
                        box[1] / total_height,
                        box[2] / total_width,
                        box[3] / total_height,
                    )
                )
                _confusion_panel(axes, confusion[confusion["head"] == head], head, names)
                top -= height(head)
            left += max(width(head) for head in column)
    return figure


def _confusion_panel(axes: Axes, rows: pd.DataFrame, head: str, names: list[str]) -> None:
    counts = (
        rows.pivot_table(index="true", columns="called", values="count", aggfunc="sum")
        .reindex(index=names, columns=names)
        .fillna(0)
        .to_numpy(float)
    )
    support = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, support, out=np.zeros_like(counts), where=support > 0)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.15)
    for row, column in zip(*np.nonzero(counts), strict=True):
        axes.text(
            column,
            row,
            f"{int(counts[row, column])}\n{_percent(share[row, column])}",
            ha="center",
            va="center",
            fontsize=7.5,
            color="white" if share[row, column] > 0.6 else "black",
        )
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("called")
    axes.set_ylabel("true")
    axes.set_title(head_title(head))


def _percent(share: float) -> str:
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def roc_curves(roc: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> Figure:
    """One-against-rest ROC curves, a panel a head, a line a class, and their macro average.

    `roc` has the columns head, class, fpr, tpr. Areas are by the trapezoid rule; the macro
    curve is the mean of the classes' curves at each false positive rate.
    """
    heads = [head for head in classes if (roc["head"] == head).any()]
    with rc_context(STYLE):
        legend_height = 0.62 + 0.19 * (_most(classes, heads) + 1)
        figure = _new(4.6 * max(len(heads), 1), 4.7 + legend_height)
        panels, keys = figure.subplots(
            2, max(len(heads), 1), squeeze=False, height_ratios=[4.7, legend_height]
        )
        for key in keys:
            key.set_axis_off()
        if not heads:
            _say_nothing_to_show(panels[0], "no test sample to show")
        for axes, key, head in zip(panels, keys, heads, strict=False):
            inset = _corner(axes) if _areas(roc, head, classes[head]).min() > INSET_FROM else None
            grid = np.linspace(0, 1, 1001)
            curves: list[np.ndarray] = []
            areas: list[float] = []
            axes.plot([0, 1], [0, 1], color="#CCCCCC", linewidth=1)
            for index, name in enumerate(classes[head]):
                curve = roc[(roc["head"] == head) & (roc["class"] == name)]
                if curve.empty:
                    continue
                fpr, tpr = curve["fpr"].to_numpy(float), curve["tpr"].to_numpy(float)
                area = float(np.trapezoid(tpr, fpr))
                areas.append(area)
                curves.append(np.interp(grid, fpr, tpr))
                for target in filter(None, (axes, inset)):
                    target.plot(
                        fpr,
                        tpr,
                        color=_colour(index),
                        linestyle=_line(index),
                        linewidth=1.4,
                        label=f"{name}  {area:.3f}",
                    )
            if curves:
                mean = np.concatenate([[0.0], np.mean(curves, axis=0)])
                for target in filter(None, (axes, inset)):
                    target.plot(
                        np.concatenate([[0.0], grid]),
                        mean,
                        color="black",
                        linewidth=2.6,
                        alpha=0.45,
                        label=f"macro average  {np.mean(areas):.3f}",
                    )
            axes.set_title(head_title(head))
            axes.set_xlabel("false positive rate")
            axes.set_ylabel("true positive rate")
            axes.set_xlim(-0.02, 1)
            axes.set_ylim(0, 1.02)
            axes.set_box_aspect(1)
            key.legend(
                *axes.get_legend_handles_labels(),
                title="area under the curve",
                title_fontsize=9,
                loc="upper left",
            )
    return figure


def _areas(roc: pd.DataFrame, head: str, names: Sequence[str]) -> np.ndarray:
    """Areas under the curves of a head's classes, in their order."""
    curves = [roc[(roc["head"] == head) & (roc["class"] == name)] for name in names]
    return np.array([np.trapezoid(curve["tpr"], curve["fpr"]) for curve in curves if len(curve)])


def _corner(axes: Axes) -> Axes:
    """An inset that enlarges the corner where the curves of good models lie."""
    inset = axes.inset_axes((0.42, 0.12, 0.54, 0.54), xlim=(-0.002, 0.1), ylim=(0.9, 1.002))
    inset.set_xticks([0, 0.05, 0.1])
    inset.set_yticks([0.9, 0.95, 1])
    inset.tick_params(labelsize=8)
    inset.spines[:].set_visible(True)
    inset.set_title("top left corner", fontsize=8, fontweight="normal")
    return inset


def _most(classes: Mapping[str, Sequence[str]], heads: Sequence[str]) -> int:
    return max((len(classes[head]) for head in heads), default=1)


def top_k(metrics: pd.DataFrame) -> Figure:
    """Top-K accuracy against K, a panel a head, with its interval (metrics top1, top2, ...)."""
    rows = metrics[metrics["metric"].str.fullmatch(r"top\d+")].copy()
    rows["k"] = rows["metric"].str.slice(3).astype(int)
    heads = [head for head in TITLES if (rows["head"] == head).any()]
    with rc_context(STYLE):
        figure = _new(4.2 * max(len(heads), 1), 3.4)
        panels = figure.subplots(1, max(len(heads), 1), squeeze=False)[0]
        if not heads:
            _say_nothing_to_show(panels[0], "no top-K accuracy was computed")
            return figure
        lowest = float(np.nanmin(rows[["value", "low"]].to_numpy(float)))
        for axes, head in zip(panels, heads, strict=True):
            curve = rows[rows["head"] == head].sort_values("k")
            below, above = _whiskers(curve)
            axes.errorbar(
                curve["k"],
                curve["value"],
                yerr=[below, above],
                color=PALETTE[0],
                marker="o",
                markersize=5,
                capsize=3,
                clip_on=False,
            )
            axes.set_xticks(curve["k"])
            axes.set_xlim(0.7, curve["k"].max() + 0.3)
            axes.set_ylim(min(lowest - 0.02, 0.95), 1.001)
            axes.set_title(head_title(head))
            axes.set_xlabel("K: classes allowed")
            axes.set_ylabel("share with the truth among the top K")
            axes.grid(axis="y")
    return figure


def _whiskers(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of the interval below and above the value; zero where no interval is known."""
    value = rows["value"].to_numpy(float)
    low = rows["low"].to_numpy(float) if "low" in rows else value
    high = rows["high"].to_numpy(float) if "high" in rows else value
    below = np.clip(np.nan_to_num(value - low), 0, None)
    above = np.clip(np.nan_to_num(high - value), 0, None)
    return below, above


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Loss and accuracy by epoch, a row a network: a panel for the loss, then one a head.

    Each history has the columns epoch, loss (training), validation_loss, and
    `{head}_validation_accuracy`. The weights kept are those of least `validation_loss`.
    """
    suffix = "_validation_accuracy"
    heads = {
        name: [column.removesuffix(suffix) for column in history if column.endswith(suffix)]
        for name, history in histories.items()
    }
    widest = 1 + max((len(found) for found in heads.values()), default=0)
    with rc_context(STYLE):
        figure = _new(4.2 * widest, 3.2 * max(len(histories), 1))
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
    """Loss of every trial of a search, and the best so far, a panel a network.

    Each table has the columns number and loss; missing losses are trials that failed.
    """
    with rc_context(STYLE):
        figure = _new(5.2 * max(len(trials), 1), 3.4)
        panels = figure.subplots(1, max(len(trials), 1), squeeze=False)[0]
        for axes, (name, table) in zip(panels, trials.items(), strict=False):
            done = table.dropna(subset=["loss"]).sort_values("number")
            axes.set_title(name)
            if done.empty:
                _say_nothing_to_show(axes, "no finished trial")
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


def project(values: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Coordinates (samples × 2) on the first two principal components of samples × genes.

    Missing values count as the gene's mean. Returns also the two shares of variance explained.
    """
    from sklearn.utils.extmath import randomized_svd

    centred = np.asarray(values, dtype=np.float32)
    means = np.nanmean(centred, axis=0, keepdims=True, dtype=np.float64)
    centred = np.nan_to_num(centred - means.astype(np.float32), copy=False, nan=0.0)
    left, sizes, _ = randomized_svd(centred, 2, n_iter=8, random_state=0)
    points = np.asarray(left * sizes, dtype=np.float64)
    total = float(np.square(centred, dtype=np.float64).sum())
    shares = np.square(points).sum(axis=0) / total if total > 0 else np.zeros(2)
    return points, (float(shares[0]), float(shares[1]))


def principal_components(
    before: pd.DataFrame,
    after: pd.DataFrame,
    explained: Mapping[str, Sequence[float]] | None = None,
) -> Figure:
    """First two principal components before and after correction: by study, and by biology.

    Both tables have the columns x, y, study, tissue, disease_state, a row a sample. `explained`
    gives for `before` and `after` the share of variance of the two components.
    """
    stages = {"before": before, "after": after}
    studies = sorted(before["study"].unique())
    tissues = sorted(before["tissue"].unique())
    states = [state for state in STATES if (before["disease_state"] == state).any()]
    with rc_context(STYLE):
        figure = _new(12.5, 9.0)
        grid = figure.subplots(2, 2)
        for column, (stage, table) in enumerate(stages.items()):
            shares = (explained or {}).get(stage)
            for row in range(2):
                axes = grid[row][column]
                by = "study" if row == 0 else "tissue"
                what = "study" if row == 0 else "tissue and state"
                axes.set_title(f"{stage.capitalize()} correction, by {what}")
                groups = studies if row == 0 else tissues
                for group in table[by].value_counts().index:  # the rare ones on top
                    index = groups.index(group)
                    chosen = table[table[by] == group]
                    if row == 0:
                        axes.scatter(
                            chosen["x"],
                            chosen["y"],
                            s=12,
                            alpha=0.6,
                            linewidths=0,
                            color=_colour(index),
                            marker=_marker(index),
                        )
                        continue
                    for state in states:
                        part = chosen[chosen["disease_state"] == state]
                        axes.scatter(
                            part["x"],
                            part["y"],
                            s=18,
                            alpha=0.7,
                            marker=_marker(index),
                            linewidths=0.9,
                            **_state_look(state, _colour(index)),
                        )
                for component, label in enumerate((axes.set_xlabel, axes.set_ylabel)):
                    share = f" ({shares[component]:.0%})" if shares is not None else ""
                    label(f"component {component + 1}{share}")
                axes.set_xticks([])
                axes.set_yticks([])
        handles = [
            Line2D([], [], linestyle="", marker=_marker(i), color=_colour(i), label=study)
            for i, study in enumerate(studies)
        ]
        grid[0][1].legend(
            handles=handles, title="study", loc="upper left", bbox_to_anchor=(1.01, 1)
        )
        handles = [
            Line2D([], [], linestyle="", marker=_marker(i), color=_colour(i), label=tissue)
            for i, tissue in enumerate(tissues)
        ]
        handles += [
            Line2D(
                [],
                [],
                linestyle="",
                marker="o",
                label=state,
                markeredgecolor="#444444",
                markerfacecolor=_state_look(state, "#444444")["facecolors"],
                alpha=0.7,
            )
            for state in states
        ]
        grid[1][1].legend(
            handles=handles, title="tissue and state", loc="upper left", bbox_to_anchor=(1.01, 1)
        )
    return figure


def _state_look(state: str, colour: str) -> dict[str, Any]:
    """Filled for neoplastic, pale for peri-neoplastic, hollow for non-neoplastic."""
    fill = {"neoplastic": colour, "peri-neoplastic": _pale(colour)}.get(state, "none")
    return {"facecolors": fill, "edgecolors": colour}


def _pale(colour: str) -> str:
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{255 - (255 - part) * 2 // 5:02X}" for part in parts)


def mrin_distribution(qc: pd.DataFrame, threshold: float) -> Figure:
    """Distribution of mRIN with the threshold; dropped samples stand out, the lowest are named.

    `qc` has the columns sample, mrin, kept, reason; samples without an mRIN are counted in the
    title only.
    """
    known = qc.dropna(subset=["mrin"])
    kept = known["kept"].astype(bool)
    with rc_context(STYLE):
        figure = _new(8.5, 4.4)
        axes = figure.subplots()
        without = len(qc) - len(known)
        axes.set_title(
            f"mRIN of {len(known)} samples" + (f" ({without} without reads)" if without else "")
        )
        if known.empty:
            _say_nothing_to_show(axes, "no sample has reads: no mRIN was computed")
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
    """Mean relative coverage along transcripts, 5′ to 3′, a line a sample, kept and dropped apart.

    `coverage` is samples × bins (index sample), `qc` has the columns sample, kept.
    """
    kept = qc.set_index("sample")["kept"].astype(bool)
    with rc_context(STYLE):
        figure = _new(8.5, 4.0)
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
    """Distribution of the gene integrity score (column gis), a value a transcript."""
    values = gis["gis"].dropna().to_numpy(float)
    with rc_context(STYLE):
        figure = _new(6.0, 3.6)
        axes = figure.subplots()
        axes.set_title(f"Gene integrity score of {len(values)} transcripts")
        if not len(values):
            _say_nothing_to_show(axes, "no transcript has a score")
            return figure
        axes.hist(values, bins=np.linspace(-1, 1, 41).tolist(), color=PALETTE[0])
        axes.axvline(float(np.median(values)), color="black", linestyle="--", linewidth=1.2)
        axes.set_xlabel("correlation of the transcript's 3′ bias with the sample's mRIN")
        axes.set_ylabel("transcripts")
    return figure


def before_and_after(diagnostics: pd.DataFrame) -> pd.DataFrame:
    """Measures (index) with their values before and after the correction, NaN where not measured.

    `diagnostics` is a long table with the columns stage (before, after; others are left out),
    measure, value. A measure known at one stage only is a fact about the fit and is left out too.
    """
    table = diagnostics[diagnostics["stage"].isin(list(STAGES))]
    table = table.assign(value=pd.to_numeric(table["value"], errors="coerce"))
    wide = table.pivot_table(
        index="measure", columns="stage", values="value", sort=False, aggfunc="first", dropna=False
    )
    both = table.groupby("measure")["stage"].nunique() == 2
    return wide.reindex(columns=list(STAGES))[wide.index.isin(both.index[both])]


def correction_diagnostics(diagnostics: pd.DataFrame) -> Figure:
    """Measures of batch effect and biology, before and after correction, a bar a measure.

    `diagnostics` is what `before_and_after` takes; measures lie between 0 and 1.
    """
    wide = before_and_after(diagnostics).dropna()
    with rc_context(STYLE):
        figure = _new(9.5, 1.2 + 0.5 * max(len(wide), 1))
        axes = figure.subplots()
        axes.set_title("Batch effect and biology before and after correction")
        if wide.empty:
            _say_nothing_to_show(axes, "no measure was computed both before and after")
            return figure
        place = np.arange(len(wide))[::-1]
        for shift, (stage, colour) in zip((0.19, -0.19), STAGES.items(), strict=True):
            bars = axes.barh(place + shift, wide[stage], height=0.36, color=colour, label=stage)
            axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
        axes.set_yticks(place, [measure_title(str(name)) for name in wide.index])
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 1.08)
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def benchmark_bars(benchmark: pd.DataFrame) -> Figure:
    """Balanced accuracy, a group of bars a head and a bar a model, as in the paper's figure 5.

    `benchmark` has the columns model, head, balanced_accuracy and, where intervals are known,
    low, high.
    """
    heads = [head for head in HEADS if (benchmark["head"] == head).any()]
    models = _models(benchmark)
    with rc_context(STYLE):
        figure = _new(4.3 * max(len(heads), 1), 1.5 + 0.4 * len(models))
        panels = figure.subplots(1, max(len(heads), 1), sharey=True, squeeze=False)[0]
        place = np.arange(len(models))[::-1]
        for axes, head in zip(panels, heads, strict=False):
            rows = benchmark[benchmark["head"] == head].set_index("model").reindex(models)
            rows = rows.rename(columns={"balanced_accuracy": "value"})
            below, above = _whiskers(rows)
            bars = axes.barh(
                place,
                rows["value"].fillna(0),
                xerr=[below, above],
                height=0.7,
                color=[_model_colour(model) for model in models],
                error_kw={"elinewidth": 1, "capsize": 2.5, "ecolor": "#333333"},
            )
            for bar, value, over in zip(bars, rows["value"], above, strict=True):
                text = "not scored" if np.isnan(value) else f"{value:.3f}"
                axes.text(
                    (0 if np.isnan(value) else value + over) + 0.015,
                    bar.get_y() + bar.get_height() / 2,
                    text,
                    va="center",
                    fontsize=9,
                )
            axes.set_yticks(place, [model_title(model) for model in models])
            axes.tick_params(axis="y", length=0)
            axes.set_xlim(0, 1.18)
            axes.set_xticks(np.linspace(0, 1, 6))
            axes.set_xlabel("balanced accuracy")
            axes.set_title(head_title(head))
            axes.grid(axis="x")
    return figure


def _model_colour(model: str) -> str:
    """Networks blue, classical models grey, so that the two families can be told at a glance."""
    if model == "dl_pca":
        return PALETTE[0]
    return PALETTE[5] if model.startswith("dl_") else "#B0B0B0"


def cost_bars(benchmark: pd.DataFrame) -> Figure:
    """What each model costs: seconds to fit, seconds to predict, peak memory (log scale)."""
    costs = {
        "fit_seconds": "seconds to fit",
        "predict_seconds": "seconds to predict the test set",
        "peak_memory_mb": "peak memory, MB",
    }
    models = _models(benchmark)
    per_model = benchmark.groupby("model")[list(costs)].max().reindex(models)
    with rc_context(STYLE):
        figure = _new(4.3 * len(costs), 1.5 + 0.4 * len(models))
        panels = figure.subplots(1, len(costs), sharey=True)
        place = np.arange(len(models))[::-1]
        for axes, (column, title) in zip(panels, costs.items(), strict=True):
            values = per_model[column].to_numpy(float)
            known = np.isfinite(values) & (values > 0)
            axes.barh(
                place[known],
                values[known],
                height=0.7,
                color=[_model_colour(m) for m, k in zip(models, known, strict=True) if k],
            )
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
            if known.any():
                axes.set_xlim(values[known].min() / 3, values[known].max() * 12)
            for y, value, usable in zip(place, values, known, strict=True):
                if usable:
                    axes.text(value * 1.15, y, _short(value), va="center", fontsize=9)
            axes.set_yticks(place, [model_title(model) for model in models])
            axes.tick_params(axis="y", length=0)
            axes.set_title(title)
            axes.grid(axis="x")
    return figure


def _short(value: float) -> str:
    """Three significant digits without an exponent."""
    digits = max(0, 2 - int(np.floor(np.log10(value))))
    return f"{value:,.{digits}f}"


def reliability(predictions: pd.DataFrame, classes: Mapping[str, Any], bins: int = 15) -> Figure:
    """Reliability diagrams on test samples: confidence of the call against how often it is right.

    `predictions` is a table of `predictions.tabulate`; subtypes are judged as they are shown, given
    the tissue. Bins are of equal width; each title gives the calibration error as usual, what
    chance alone makes of it where so many probabilities are exactly right, and the error without
    chance's part (`calibrate.calibration_error`).
    """
    test = predictions[predictions["split"] == "test"]
    shown = shown_probabilities(test, classes)
    heads = list(shown)
    with rc_context(STYLE):
        figure = _new(4.2 * max(len(heads), 1), 4.8)
        grid = figure.subplots(
            2, max(len(heads), 1), squeeze=False, sharex=True, height_ratios=[4, 1]
        )
        for (axes, below), head in zip(grid.T, heads, strict=False):
            codes = encode(test[f"{head}_true"], classes[head])
            known = (codes >= 0) & ~np.isnan(shown[head]).any(axis=1)
            if not known.any():
                _say_nothing_to_show(axes, "no test sample to show")
                below.set_axis_off()
                continue
            probabilities, codes = shown[head][known], codes[known]
            confidence = probabilities.max(axis=1)
            right = probabilities.argmax(axis=1) == codes
            donors = pd.factorize(test.loc[known, "donor"])[0]
            error = calibration_error(probabilities, codes, donors, bins=bins)
            edges = np.linspace(0, 1, bins + 1)
            index = np.minimum((confidence * bins).astype(int), bins - 1)
            axes.plot([0, 1], [0, 1], color="#CCCCCC", linewidth=1)
            means, shares, sizes = [], [], []
            for number in range(bins):
                inside = index == number
                if not inside.any():
                    continue
                means.append(confidence[inside].mean())
                shares.append(right[inside].mean())
                sizes.append(inside.sum())
            axes.scatter(
                means,
                shares,
                s=6 + 180 * np.sqrt(np.asarray(sizes) / len(codes)),
                color=PALETTE[0],
                alpha=0.75,
                clip_on=False,
            )
            axes.set_title(
                f"{head_title(head)}: error {error.expected:.3f} (chance {error.chance:.3f}),\n"
                f"RMS without chance {error.debiased:.3f} ({error.low:.3f}–{error.high:.3f})"
            )
            axes.set_ylabel("share of calls that are right")
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1.02)
            axes.grid()
            below.hist(confidence, bins=edges.tolist(), color=GREY)
            below.set_ylabel("samples")
            below.set_xlabel("confidence of the call")
    return figure


def tissue_marks(training: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """The mark (as a character) and colour that `embedding` gives each tissue."""
    characters = dict(zip(MARKERS, "●▲■◆", strict=True))
    return {
        tissue: (characters[_marker(index)], _colour(index))
        for index, tissue in enumerate(sorted(training["tissue"].unique()))
    }


def embedding(training: pd.DataFrame) -> Figure:
    """Where the training samples lie on two principal components; `tissue_marks` is the legend.

    `training` has the columns x, y, tissue, disease_state.
    """
    with rc_context(STYLE):
        figure = _new(6.4, 4.6)
        axes = figure.subplots()
        for index, tissue in enumerate(sorted(training["tissue"].unique())):
            chosen = training[training["tissue"] == tissue]
            for state, part in chosen.groupby("disease_state"):
                axes.scatter(
                    part["x"],
                    part["y"],
                    s=14,
                    alpha=0.55,
                    marker=_marker(index),
                    linewidths=0.8,
                    **_state_look(str(state), _colour(index)),
                )
        axes.set_xlabel("component 1")
        axes.set_ylabel("component 2")
        axes.set_xticks([])
        axes.set_yticks([])
    return figure
