"""Facts of a sample's page: call, probabilities, genes, warnings (`sample.html.j2`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd

from tissuestate.arrays import load_arrays
from tissuestate.bundle.format import Bundle, page_facts
from tissuestate.cohort.composition import pairs_without_common_batch
from tissuestate.features.plane import TrainingMap
from tissuestate.labels import TUMOUR

LEAST_SHOWN = 0.005
GENES = 8  # shown of each head
BINS = 24


def training_samples(bundle: Bundle) -> pd.DataFrame:
    """The training samples of a bundle on their plane: x, y, disease_state, tissue, subtype."""
    return TrainingMap.from_arrays(load_arrays(bundle.path("training.npz"))).frame()


@dataclass(frozen=True)
class PlanePicture:
    """A picture of the training samples on their plane.

    png: its bytes. marks: the character and colour of each tissue. corner, size: of the axes, as
    shares of the picture from its top left. limits: the coordinates at the axes' left, right,
    bottom and top.
    """

    png: bytes
    marks: Mapping[str, tuple[str, str]]
    corner: tuple[float, float]
    size: tuple[float, float]
    limits: tuple[float, float, float, float]

    @classmethod
    def of(cls, figure: Any, png: bytes, marks: Mapping[str, tuple[str, str]]) -> Self:
        """The picture of a matplotlib figure of one plot that has been drawn, and so laid out."""
        axes = figure.axes[0]
        box = axes.get_position()
        limits = (*axes.get_xlim(), *axes.get_ylim())
        return cls(png, marks, (box.x0, 1 - box.y1), (box.width, box.height), limits)

    def place(self, x: float, y: float) -> tuple[float, float, bool]:
        """Place of a point in the picture (shares from left and top), and whether it is outside."""
        left, right, bottom, top = self.limits
        across, down = (x - left) / (right - left), (top - y) / (top - bottom)
        inside = min(max(across, 0.0), 1.0), min(max(down, 0.0), 1.0)
        return (
            self.corner[0] + inside[0] * self.size[0],
            self.corner[1] + inside[1] * self.size[1],
            inside != (across, down),
        )


@dataclass(frozen=True)
class Background:
    """The facts that the pages of all samples share.

    mrin: of the training samples (empty if they had no reads). contrasts: of the bundle's data.
    page: see `page_facts`.
    """

    plane: PlanePicture
    mrin: np.ndarray
    contrasts: list[Mapping[str, Any]]
    page: Mapping[str, Any] = field(default_factory=lambda: page_facts({}))

    @classmethod
    def of(cls, bundle: Bundle, plane: PlanePicture) -> Self:
        """The background of a bundle; `plane` shows its `training_samples`."""
        integrity = bundle.has("integrity.npz")
        mrin = load_arrays(bundle.path("integrity.npz"))["mrin"] if integrity else np.empty(0)
        contrasts, page = bundle.description["data"]["contrasts"], page_facts(bundle.description)
        return cls(plane, mrin[np.isfinite(mrin)], contrasts, page)


def sample_facts(
    record: Mapping[str, Any], background: Background, genes: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Facts of the page of one sample.

    `record` is that of `Predictions.record`; `genes` this sample's rows of `top_genes`, None if
    calls are not explained.
    """
    heads = record["heads"]
    return {
        **background.page,
        "sample": record["sample"],
        "refused": record["refused"],
        "warnings": record["warnings"],
        "tumour": record[TUMOUR],
        "answers": heads,
        "heads": _heads(record),
        "is_explained": genes is not None and not genes.empty,
        "drivers": [] if genes is None else _drivers(heads, genes),
        "plane": background.plane,
        "place": _place(record["point"], background.plane),
        **{name: record[name] for name in ("recognition", "unit", "novelty", "mrin")},
        **{name: record.get(name) for name in ("reads", "aligned", "assigned")},
        "integrity": _integrity(record["mrin"], background.mrin),
        "inputs": record.get("input", ()),
        "bundle": record.get("bundle"),
        "confounded": pairs_without_common_batch(background.contrasts, "disease_state"),
    }


def _heads(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Shown probabilities and set of each head, and the number of classes not shown."""
    rows = []
    for head, found in record["heads"].items():
        if head == "subtype" and record[TUMOUR]["call"] == "no":
            continue
        shown = _shown(found["probabilities"])
        hidden = len(found["probabilities"]) - len(shown)
        rows.append({"head": head, "shown": shown, "set": found["set"], "hidden": hidden})
    return rows


def _shown(probabilities: Mapping[str, float]) -> dict[str, float]:
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    return {
        name: share
        for place, (name, share) in enumerate(ranked)
        if place == 0 or share >= LEAST_SHOWN
    }


def _drivers(heads: Mapping[str, Any], genes: pd.DataFrame) -> list[dict[str, Any]]:
    """The genes that speak most for and against each call, and the sum of their contributions."""
    drivers = []
    for head in heads:
        rows = genes[genes["head"] == head].nsmallest(GENES, "rank")
        if rows.empty:
            continue
        rows = rows.sort_values("contribution", ascending=False)
        drivers.append(
            {
                "head": head,
                "call": str(rows["class"].iloc[0]),
                "genes": [
                    {
                        "gene": row.gene,
                        "higher": row.expression > row.average,
                        "contribution": row.contribution,
                    }
                    for row in rows.itertuples()
                ],
                "largest": max(float(rows["contribution"].abs().max()), 1e-9),
                "together": float(rows["contribution"].sum()),
                "whole": float(rows["difference"].iloc[0]),
            }
        )
    return drivers


def _place(point: list[float] | None, plane: PlanePicture) -> dict[str, Any] | None:
    if point is None:
        return None
    left, top, outside = plane.place(*point)
    return {"left": left, "top": top, "outside": outside}


def _integrity(mrin: float | None, cohort: np.ndarray) -> dict[str, Any] | None:
    """A sample's mRIN among those of the training cohort; None if either is not known.

    share: of the cohort that is more degraded. heights: of a histogram's bars, from 0 to 1. at: the
    place of the sample on its axis, from 0 to 1.
    """
    if mrin is None or not len(cohort):
        return None
    low, high = min(mrin, float(cohort.min())), max(mrin, float(cohort.max()))
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts, _ = np.histogram(cohort, edges)
    return {
        "share": float((cohort < mrin).mean()),
        "samples": len(cohort),
        "heights": (counts / max(int(counts.max()), 1)).tolist(),
        "at": float((mrin - edges[0]) / (edges[-1] - edges[0])),
    }
