"""Facts of the page that summarises a run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.cohort.composition import (
    batches,
    contrasts,
    cramers_v,
    pairs_without_common_batch,
    present_states,
    split_table,
)
from tissuestate.cohort.laboratories import LEAST, laboratory_support
from tissuestate.labels import (
    HEADS,
    PAPER_MODEL,
    RIDGE_MODEL,
    SPLITS,
    TANDEM,
    TUMOUR,
    has_class,
    within_batch_head,
)
from tissuestate.protocols.page import summarise_protocols
from tissuestate.report.laboratories import LeftOut, left_out_summary
from tissuestate.report.measures import before_and_after
from tissuestate.tables import read_table

SHOWN = ("accuracy", "balanced_accuracy", "auc", "f1")
SCORED_HEADS = (
    TUMOUR,
    *(name for head in HEADS for name in (head, within_batch_head(head))),
    TANDEM,
)


def read_metrics(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The metrics.tsv of several models as one frame; a model is named by its file's folder."""
    tables = [read_table(path).assign(model=Path(path).parent.name) for path in paths]
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Run:
    """The tables of a run that its summary is made from; column names are those of the stages.

    samples: labels of the samples in the cohort (index sample). genes: their number. qc is None if
    no sample came from reads, truth if nothing is simulated. metrics: of all models, with a column
    model. comparison: of all models with DL PCA (`compare_predictions`). sets, abstention: of the
    bundled model (`evaluation.trust`), None if not measured. protocols: the tables
    crossvalidation, leaks and outside of `protocols.results`, or none. left_out: None if no
    laboratory was left out.
    """

    samples: pd.DataFrame
    qc: pd.DataFrame | None
    datasets: pd.DataFrame
    genes: int
    diagnostics: pd.DataFrame
    classes: Mapping[str, Any]
    metrics: pd.DataFrame
    benchmark: pd.DataFrame
    comparison: pd.DataFrame
    sets: pd.DataFrame | None = None
    abstention: pd.DataFrame | None = None
    protocols: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    left_out: LeftOut | None = None
    truth: pd.DataFrame | None = None


def summary_facts(run: Run) -> dict[str, Any]:
    """Facts of the page by section, None or empty for a section without content."""
    known = run.samples[has_class(run.samples)]
    no_class = len(run.samples) - len(known)
    run = replace(run, samples=known)
    return {
        "cohort": {**_cohort(run), "no_class": no_class},
        "laboratories": _laboratories(run),
        "left_out": left_out_summary(run.left_out) if run.left_out else None,
        "best": _best(run),
        "better_models": _better_models(run.protocols),
        "performance": _performance(run),
        "protocols": summarise_protocols(run.protocols) if run.protocols else None,
        "trust": _trust(run),
        "tumour": _tumour(run),
        "confounding": _confounding(run),
        "batches": _batches(run),
        "quality": _quality(run),
        "datasets": run.datasets,
        "correction": _correction(run),
        "truth": _truth(run),
    }


def best_models(benchmark: pd.DataFrame) -> pd.DataFrame:
    """The best model of each head by balanced accuracy, and the score of DL PCA beside it."""
    rows = []
    for head in HEADS:
        scored = benchmark[benchmark["head"] == head].dropna(subset=["balanced_accuracy"])
        if scored.empty:
            continue
        scores = scored.set_index("model")["balanced_accuracy"]
        deep = float(scores.get(PAPER_MODEL, np.nan))
        best = PAPER_MODEL if deep >= scores.max() else str(scores.idxmax())
        rows.append(
            {"head": head, "best": best, "best_score": float(scores[best]), PAPER_MODEL: deep}
        )
    return pd.DataFrame(rows, columns=["head", "best", "best_score", PAPER_MODEL])


def _cohort(run: Run) -> dict[str, Any]:
    kept, splits = run.samples, run.samples["split"].value_counts()
    table = split_table(run.samples, {head: run.classes[head] for head in HEADS})
    return {
        "samples": {split: int(splits.get(split, 0)) for split in SPLITS},
        "donors": int(kept["donor"].nunique()),
        "training_donors": int(kept.loc[kept["split"] == "train", "donor"].nunique()),
        "shared_donors": int((kept.groupby("donor")["split"].nunique() > 1).sum()),
        "studies": kept["study"].value_counts().to_dict(),
        "genes": run.genes,
        "classes": {head: len(run.classes[head]) for head in HEADS},
        "splits": {
            head: table[table["head"] == head].drop(columns="head")
            for head in HEADS
            if len(run.classes[head])
        },
    }


def _laboratories(run: Run) -> dict[str, Any]:
    """How many laboratories support each tissue and state, with a table of the numbers."""
    support = laboratory_support(run.samples)
    rows = [
        {
            "tissue": tissue,
            **{
                state: f"{c['samples']:,} of {c['laboratories']}" if c["samples"] else "none"
                for state, c in states.items()
            },
        }
        for tissue, states in support["cells"].items()
    ]
    return {**support, "needed": LEAST, "table": pd.DataFrame(rows)}


def _best(run: Run) -> list[dict[str, Any]]:
    """The best model of each head, with the interval of its lead if it is not DL PCA."""
    found = []
    for row in best_models(run.benchmark).to_dict("records"):
        fact = {
            "head": row["head"],
            "model": row["best"],
            "score": row["best_score"],
            "ours": row[PAPER_MODEL],
            "is_ours": row["best"] == PAPER_MODEL,
        }
        if not fact["is_ours"]:
            paired = run.comparison.set_index(["model", "head", "metric"])
            lead = paired.loc[(row["best"], row["head"], "balanced_accuracy")]
            fact |= {"low": float(lead["difference_low"]), "high": float(lead["difference_high"])}
        found.append(fact)
    return found


def _better_models(protocols: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The models that beat DL PCA in cross-validation by more than chance."""
    folds = protocols.get("crossvalidation", pd.DataFrame())
    if folds.empty:
        return []
    scored = folds[(folds["metric"] == "balanced_accuracy") & folds["head"].isin(HEADS)]
    return [
        {
            "head": row["head"],
            "model": row["model"],
            "difference": row["difference"],
            "low": row["difference_low"],
            "high": row["difference_high"],
        }
        for row in scored[scored["difference_low"] > 0].to_dict("records")
    ]


def _performance(run: Run) -> dict[str, Any]:
    """Scores on test samples by head of the model that calls (`model`), ridge or DL PCA.

    And the metrics that at least one head has.
    """
    model = RIDGE_MODEL if (run.metrics["model"] == RIDGE_MODEL).any() else PAPER_MODEL
    ours = run.metrics[run.metrics["model"] == model]
    heads = []
    for head in SCORED_HEADS:
        known = ours[ours["head"] == head].set_index("metric")
        if len(known):
            shown = known.loc[[metric for metric in SHOWN if metric in known.index]]
            scores = shown[["value", "low", "high"]].astype(float).to_dict("index")
            heads.append({"head": head, "scores": scores, "samples": int(known["n"].max())})
    metrics = [metric for metric in SHOWN if any(metric in row["scores"] for row in heads)]
    return {"model": model, "metrics": metrics, "heads": heads}


def _trust(run: Run) -> list[dict[str, Any]] | None:
    """Coverage of the bundled model's sets, and share and accuracy of its answers, by head."""
    if run.sets is None or run.abstention is None:
        return None
    sets = run.sets[run.sets["tissue"] == ""].set_index("head")
    left = run.abstention[run.abstention["rule"] == "abstention"].set_index("head")
    return [
        {
            "head": head,
            **{name: float(sets.loc[head, name]) for name in ("coverage", "low", "high", "size")},
            **{name: float(left.loc[head, name]) for name in ("share", "accuracy")},
            "samples": int(sets.loc[head, "samples"]),
        }
        for head in SCORED_HEADS
        if head in sets.index
    ]


def _tumour(run: Run) -> dict[str, float] | None:
    """Share and accuracy of the answers to whether a test sample is a tumour; None if unknown."""
    if run.abstention is None:
        return None
    found = run.abstention.query("head == @TUMOUR and rule == 'abstention'")
    return None if found.empty else found.iloc[0][["share", "accuracy"]].astype(float).to_dict()


def _confounding(run: Run) -> dict[str, Any]:
    """The association of study and disease state, and the scores that it limits."""
    kept = run.samples
    association = cramers_v(kept["study"], kept["disease_state"])
    table = pd.crosstab(batches(kept).rename("study"), kept["disease_state"])[present_states(kept)]
    return {
        "association": None if np.isnan(association) else association,
        "pairs": contrasts(kept).to_dict("records"),
        "study_predicted": _study_predicted(run),
        "within_batch": _within_batch(run, "disease_state"),
        "table": table.reset_index().rename_axis(columns=None),
    }


def _study_predicted(run: Run) -> dict[str, Any] | None:
    """Balanced accuracy of a linear model for studies, before and after correction."""
    wide = before_and_after(run.diagnostics)
    if "predicted_study" not in wide.index or wide.loc["predicted_study"].isna().any():
        return None
    before, after = wide.loc["predicted_study", ["before", "after"]].astype(float)
    chance = 1 / run.samples["study"].nunique()
    is_visible = after - chance > 0.1 * (1 - chance)
    return {"before": before, "after": after, "chance": chance, "is_visible": is_visible}


def _within_batch(run: Run, head: str) -> dict[str, float] | None:
    """Balanced accuracy within a batch and among all classes (everywhere); None if not scored.

    Within a batch, recognising the batch does not help.
    """
    scored = run.metrics[run.metrics["model"] == PAPER_MODEL].set_index(["head", "metric"])
    key = (within_batch_head(head), "balanced_accuracy")
    if key not in scored.index:
        return None
    return {
        **{name: float(scored.loc[key, name]) for name in ("value", "low", "high")},
        "everywhere": float(scored.loc[(head, "balanced_accuracy"), "value"]),
    }


def _batches(run: Run) -> dict[str, Any] | None:
    """The tissues and subtypes that a batch may give away; None if there are none."""
    pairs = contrasts(run.samples, "tissue")
    together = pairs[pairs["studies"] != ""]
    tissues = {*pairs["first"], *pairs["second"]} - {*together["first"], *together["second"]}
    pairs = contrasts(run.samples, "subtype")
    subtypes = pairs_without_common_batch(pairs.to_dict("records"), "subtype")
    if not tissues and not subtypes:
        return None
    found = {head: _within_batch(run, head) for head in ("tissue", "subtype")}
    return {
        "tissues": sorted(tissues),
        "subtypes": subtypes,
        "within_batch": {head: score for head, score in found.items() if score},
    }


def _quality(run: Run) -> dict[str, Any] | None:
    """The samples from reads that were excluded, each with its reason."""
    if run.qc is None:
        return None
    shown = [column for column in ("sample", "mrin", "reason") if column in run.qc]
    return {"checked": len(run.qc), "excluded": run.qc.loc[~run.qc["kept"].astype(bool), shown]}


def _correction(run: Run) -> dict[str, Any]:
    """Surrogate variables of the batch correction, and each measure before and after it."""
    table = run.diagnostics
    used = table.loc[table["measure"] == "surrogate_variables", "value"]
    wide = before_and_after(table).rename_axis(columns=None)
    return {
        "surrogate_variables": int(float(used.iloc[0])) if len(used) else 0,
        "notes": [str(note) for note in table.loc[table["stage"] == "note", "value"]],
        "measures": wide.reset_index().to_dict("records"),
    }


def _truth(run: Run) -> dict[str, Any] | None:
    """Comparison with the simulated truth: excluded samples, and accuracy against chance."""
    if run.truth is None:
        return None
    truth = run.truth.set_index("sample")
    kinds = {kind: truth[kind].astype(bool) for kind in ("degraded", "empty")}
    kinds["intact"] = ~(kinds["degraded"] | kinds["empty"])
    excluded = ~truth.index.isin(run.samples.index)
    ours = run.metrics[
        (run.metrics["model"] == PAPER_MODEL) & (run.metrics["metric"] == "accuracy")
    ]
    test = run.samples[run.samples["split"] == "test"]
    heads = []
    for head in HEADS:
        accuracy = ours.loc[ours["head"] == head, "value"]
        labels = test.loc[test[head] != "", head]
        if len(accuracy) and len(labels):
            chance = float(labels.value_counts(normalize=True).max())
            heads.append({"head": head, "accuracy": float(accuracy.iloc[0]), "chance": chance})
    return {
        "samples": {
            kind: {"all": int(chosen.sum()), "excluded": int((chosen & excluded).sum())}
            for kind, chosen in kinds.items()
        },
        "heads": heads,
    }
