"""Facts of a sample's page (`sample.html.j2`) and of the index of samples (`index.html.j2`)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd

from tissuestate.arrays import load_arrays
from tissuestate.bundle.format import VERSION, Bundle, page_facts
from tissuestate.cohort.composition import pairs_without_common_batch
from tissuestate.labels import NEOPLASTIC, STATES, TUMOUR

INDEX = "index.html"
LONGEST = 100  # characters of a page's file name
LEAST_SHOWN = 0.005
GENES = 8  # shown of each head
BINS = 24
HIGH, MODERATE = 0.95, 0.8  # least probabilities of confidence with these names
BEST, MIDDLE = "high", "moderate"
MANY, RIGHT = 10, 0.95  # samples left out from which on a class is weak; right of them, at least
MIXED = 0.2  # share of the second tissue from which a sample may be a mixture
# Reasons to look at a sample, beside its doubts
NEW, UNDECIDED, TWO, REFUSED = "unlike training", "no tissue", "two tissues", "refused"
SCALE = 1.25  # of the axis of distances, at least: the limit of novelty is 1


@dataclass(frozen=True)
class Background:
    """The facts that the pages of all samples share.

    mrin: of the training samples (empty if they had no reads). contrasts, record: of the bundle
    (see `contrasts`, `class_record`). tissues: that the model knows. is_calibrated_outside: whether
    probabilities were learnt on laboratories left out. page: see `page_facts`. date: of the calls,
    '' if not known.
    """

    mrin: np.ndarray = field(default_factory=lambda: np.empty(0))
    contrasts: Sequence[Mapping[str, Any]] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    tissues: Sequence[str] = ()
    is_calibrated_outside: bool = False
    page: Mapping[str, Any] = field(default_factory=lambda: page_facts({}))
    date: str = ""

    @classmethod
    def of(cls, bundle: Bundle, date: str = "") -> Self:
        """The background of a bundle."""
        integrity, description = bundle.has("integrity.npz"), bundle.description
        mrin = load_arrays(bundle.path("integrity.npz"))["mrin"] if integrity else np.empty(0)
        return cls(
            mrin[np.isfinite(mrin)],
            description["data"]["contrasts"],
            description.get("record", {}),
            description["classes"]["tissue"],
            "calibration" in description,
            page_facts(description),
            date,
        )


def sample_facts(
    record: Mapping[str, Any], background: Background, genes: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Facts of the page of one sample.

    `record` is that of `Predictions.record`; `genes` this sample's rows of `top_genes`, None if
    calls are not explained.
    """
    return {
        **background.page,
        "sample": record["sample"],
        "refused": record["refused"],
        **_verdict(record, background.record),
        "mixed": _mixed(record),
        "tissues": background.tissues,
        **{name: record[name] for name in ("doubts", "notes")},
        "cautions": _cautions(record),
        "confounded": _confounded_with(record, background.contrasts),
        "questions": _questions(record, background.record),
        "has_record": bool(background.record),
        "is_calibrated_outside": background.is_calibrated_outside,
        "nearest": record["nearest"],
        "scale": max([SCALE, *(1.1 * row["distance"] for row in record["nearest"])]),
        "heads": _heads(record),
        "is_explained": genes is not None and not genes.empty,
        "drivers": [] if genes is None else _drivers(record["heads"], genes),
        **{
            name: record[name]
            for name in ("recognition", "unit", "novelty", "mrin", "sex_expressed")
        },
        **{
            name: record.get(name)
            for name in ("reads", "aligned", "assigned", "mrin_transcripts", "sex")
        },
        "integrity": _integrity(record["mrin"], background.mrin),
        "inputs": record.get("input", ()),
        "bundle": record.get("bundle"),
        "version": VERSION,
        "date": background.date,
    }


def page_files(samples: Iterable[str]) -> dict[str, str]:
    """The file of each sample's page: its name without what a file's name may not hold.

    Names that would be one file, also where case does not count, are numbered.
    """
    files: dict[str, str] = {}
    taken = {INDEX}
    for sample in samples:
        stem = re.sub(r"[^\w.+=@-]+", "_", sample).lstrip(".-")[:LONGEST] or "_"
        number, file = 1, f"{stem}.html"
        while file.lower() in taken:
            number += 1
            file = f"{stem}-{number}.html"
        taken.add(file.lower())
        files[sample] = file
    return files


def index_facts(records: Sequence[Mapping[str, Any]], background: Background) -> dict[str, Any]:
    """Facts of the index of samples: a row for each, those that need a look first."""
    pages = page_files(record["sample"] for record in records)
    rows = [
        {
            "sample": record["sample"],
            "page": pages[record["sample"]],
            **_verdict(record, background.record),
            "reasons": _reasons(record),
            "is_doubtful": bool(record["doubts"]),
        }
        for record in records
    ]
    rows.sort(key=lambda row: (not row["reasons"], row["confidence"] or 0))
    tissues = {row["verdict"]["tissue"] for row in rows} - {""}
    return {
        **background.page,
        "rows": rows,
        "tissues": sorted(tissues),
        "states": sorted({row["verdict"]["state"] for row in rows} - {""}),
        "reasons": sorted({reason for row in rows for reason in row["reasons"]}),
        "with_reason": sum(bool(row["reasons"]) for row in rows),
        "bundle": next((record.get("bundle") for record in records), None),
        "version": VERSION,
        "date": background.date,
    }


def _verdict(record: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """What a sample is called, '' for no answer, and how sure the least sure part of it is.

    state: a disease state, or 'no tumour' if healthy and adjacent are not told apart. level: of
    the confidence; both are None without an answer. weak: the classes called that did badly in
    laboratories left out (see `_is_weak`), which make no high confidence.
    """
    heads, tumour = record["heads"], record[TUMOUR] or {"call": ""}
    calls = {head: heads[head]["call"] if head in heads else "" for head in ("tissue", "subtype")}
    state = heads["disease_state"]["call"] if heads else ""
    if not state and tumour["call"] == "no":
        state = "no tumour"
    parts = [heads[head]["probability"] for head, call in calls.items() if call]
    if state == "no tumour":
        parts.append(1 - tumour["probability"])
    elif state:
        parts.append(heads["disease_state"]["probability"])
    confidence = min(parts) if parts else None
    called = {TUMOUR: tumour["call"], **calls}
    weak = [
        {"question": question, "call": call, **found}
        for question, call in called.items()
        if _is_weak(found := known.get(question, {}).get(call, {}))
    ]
    level = None if confidence is None else confidence_level(confidence)
    return {
        "verdict": {**calls, "state": state, TUMOUR: tumour["call"], "refused": record["refused"]},
        "is_new": (record["novelty"] or 0) > 1,
        "confidence": confidence,
        "level": MIDDLE if weak and level == BEST else level,
        "weak": weak,
    }


def _is_weak(found: Mapping[str, int]) -> bool:
    """Whether calls of a class were often wrong in laboratories left out, or never made there."""
    if found.get("outside", 0) >= MANY and not found["outside_answered"]:
        return True
    called = found.get("outside_called", 0)
    return called >= MANY and found["outside_called_right"] < RIGHT * called


def _mixed(record: Mapping[str, Any]) -> list[str]:
    """The two tissues between which a sample lies, if both are likely; [] if it does not."""
    tissue = record["heads"].get("tissue")
    if tissue is None or tissue["call"] or (record["novelty"] or 0) > 1:
        return []
    first, second = sorted(tissue["probabilities"].items(), key=lambda item: -item[1])[:2]
    return [first[0], second[0]] if second[1] >= MIXED else []


def confidence_level(probability: float) -> str:
    """A probability as high, moderate or low confidence, as it is shown: in whole percents."""
    shown = round(probability, 2)
    return BEST if shown >= HIGH else MIDDLE if shown >= MODERATE else "low"


def _reasons(record: Mapping[str, Any]) -> list[str]:
    """Why a sample needs a look, in brief."""
    if record["refused"]:
        return [REFUSED]
    found = list(record["doubts"])
    if (record["novelty"] or 0) > 1:
        return [*found, NEW]
    if record["heads"]["tissue"]["call"]:
        return found
    return [*found, TWO if _mixed(record) else UNDECIDED]


def _cautions(record: Mapping[str, Any]) -> list[str]:
    """The warnings that concern the class called."""
    others = {*record["doubts"].values(), *record["notes"]}
    return [text for text in record["warnings"] if text not in others]


def _confounded_with(
    record: Mapping[str, Any], contrasts: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The states that never came from one batch with the state called, if it may be due to that.

    A tumour is told from adjacent tissue, if a batch holds both, and so not by its batch alone.
    """
    called = record["heads"]["disease_state"]["call"] if record["heads"] else ""
    pairs = pairs_without_common_batch(contrasts, "disease_state")
    others = [b if a == called else a for a, b in pairs if called and called in (a, b)]
    states = {row[key] for row in contrasts for key in ("first", "second")} & set(STATES)
    return others if called != NEOPLASTIC or set(others) == states - {called} else []


def _questions(record: Mapping[str, Any], known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Call, confidence and record of each question, tumour or not first.

    status: called, none (no answer), or senseless (a subtype of what is no tumour). The state of
    a tumour is no question of its own.
    """
    if not record["heads"]:
        return []
    tumour = record[TUMOUR]
    rows = [
        {
            "question": TUMOUR,
            "call": tumour["call"],
            "why": tumour["abstained"],
            "probability": max(tumour["probability"], 1 - tumour["probability"]),
        }
    ]
    for head in ("disease_state", "tissue", "subtype"):
        answer = record["heads"].get(head)
        if answer is None or (head == "disease_state" and tumour["call"] != "no"):
            continue
        keys = {"call": "call", "why": "abstained", "probability": "probability"}
        rows.append({"question": head, **{new: answer[old] for new, old in keys.items()}})
    for row in rows:
        senseless = row["question"] == "subtype" and tumour["call"] == "no"
        row["status"] = "called" if row["call"] else "senseless" if senseless else "none"
        row["level"] = confidence_level(row["probability"])
        row["record"] = known.get(row["question"], {}).get(row["call"])
    return rows


def _heads(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Probabilities of each head worth showing, and the number of classes not shown."""
    rows = []
    for head, found in record["heads"].items():
        if head == "subtype" and not (
            record["heads"]["tissue"]["call"] and record[TUMOUR]["call"] != "no"
        ):
            continue
        shown = _shown(found["probabilities"])
        hidden = len(found["probabilities"]) - len(shown)
        rows.append({"head": head, "call": found["call"], "shown": shown, "hidden": hidden})
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
        levels = rows[["expression", "range_low", "range_high"]].to_numpy(float)
        drivers.append(
            {
                "head": head,
                "call": str(rows["class"].iloc[0]),
                "genes": [_gene(row) for row in rows.to_dict("records")],
                "has_ranges": bool(np.isfinite(levels).all()),
                "highest": float(np.nanmax(levels, initial=1e-9)),
                "largest": max(float(rows["contribution"].abs().max()), 1e-9),
                "together": float(rows["contribution"].sum()),
                "whole": float(rows["difference"].iloc[0]),
            }
        )
    return drivers


def _gene(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "gene": row["gene"],
        "contribution": row["contribution"],
        "level": row["expression"],
        "low": max(row["range_low"], 0.0),
        "high": row["range_high"],
        "is_usual": row["range_low"] <= row["expression"] <= row["range_high"],
    }


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
