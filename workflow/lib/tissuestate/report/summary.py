"""Facts of the page that summarises a run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.cohort.composition import split_table
from tissuestate.labels import HEADS, SPLITS, TANDEM, TUMOUR, has_class, within_batch_head
from tissuestate.protocols.page import summarise_protocols
from tissuestate.report.accuracy import (
    answers_outside,
    commonest_share,
    compare_outside,
    compare_with_called,
    count_right,
    count_right_outside,
    join_by_question,
    worst_confusions,
)
from tissuestate.report.caveats import caveats
from tissuestate.report.laboratories import LeftOut, left_out_summary
from tissuestate.report.measures import before_and_after
from tissuestate.tables import read_table

SHOWN = ("balanced_accuracy", "auc", "f1")
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
    no sample came from reads, truth if nothing is simulated. called: the model that calls. metrics:
    of all models, with a column model. confusion: of the model that calls. comparison: of all
    models with DL PCA (`compare_predictions`). sex: of `sex_facts`. sets, abstention: of the model
    that calls (`evaluation.trust`), None if not measured. protocols: the tables crossvalidation,
    leaks and outside of `protocols.results`, or none. left_out: None if no laboratory was left out.
    """

    samples: pd.DataFrame
    qc: pd.DataFrame | None
    datasets: pd.DataFrame
    genes: int
    diagnostics: pd.DataFrame
    classes: Mapping[str, Any]
    called: str
    metrics: pd.DataFrame
    confusion: pd.DataFrame
    comparison: pd.DataFrame
    sex: Mapping[str, Any]
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
    called = run.metrics[run.metrics["model"] == run.called]
    return {
        "cohort": {**_cohort(run), "no_class": no_class},
        "accuracy": _accuracy(run),
        "confusions": worst_confusions(run.confusion),
        "left_out": left_out_summary(run.left_out) if run.left_out else None,
        "better_models": _better_models(run.protocols),
        "comparison": _comparison(run.comparison),
        "performance": _performance(called),
        "protocols": summarise_protocols(run.protocols) if run.protocols else None,
        "trust": _trust(run),
        "tumour": _tumour(run),
        **caveats(run.samples, run.classes, called, run.diagnostics),
        "quality": _quality(run),
        "sex": run.sex,
        "datasets": run.datasets,
        "correction": _correction(run),
        "truth": _truth(run),
    }


def _accuracy(run: Run) -> dict[str, Any]:
    """Counts of right calls of all models on test samples, and of what training lacked.

    tests, outside: of the model that calls, by question. left_out: the same by what was left out.
    rows: of all models and of what was left out.
    """
    tests = count_right(run.metrics, run.called, run.samples)
    own = tests[tests["is_called"]]
    scores = run.left_out.scores if run.left_out else None
    outside = count_right_outside(run.called, run.protocols.get("outside"), scores)
    return {
        "model": run.called,
        "tests": own.to_dict("records"),
        "outside": outside.to_dict("records"),
        "left_out": compare_outside(own, outside),
        "answers_outside": answers_outside(scores) if scores is not None else [],
        "rows": join_by_question(tests, outside),
        **compare_with_called(tests),
    }


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


def _comparison(comparison: pd.DataFrame) -> list[dict[str, Any]]:
    """The difference of every model from DL PCA in balanced accuracy, by head."""
    scored = comparison[
        (comparison["metric"] == "balanced_accuracy") & comparison["head"].isin(HEADS)
    ]
    columns = ["head", "model", "value", "difference", "difference_low", "difference_high"]
    return scored[columns].dropna(subset=["difference"]).to_dict("records")


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


def _performance(called: pd.DataFrame) -> dict[str, Any]:
    """Scores on test samples by head, and the metrics that at least one head has."""
    heads = []
    for head in SCORED_HEADS:
        known = called[called["head"] == head].set_index("metric")
        if len(known):
            shown = known.loc[[metric for metric in SHOWN if metric in known.index]]
            scores = shown[["value", "low", "high"]].astype(float).to_dict("index")
            heads.append({"head": head, "scores": scores, "samples": int(known["n"].max())})
    metrics = [metric for metric in SHOWN if any(metric in row["scores"] for row in heads)]
    return {"metrics": metrics, "heads": heads}


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
    ours = run.metrics[(run.metrics["model"] == run.called) & (run.metrics["metric"] == "accuracy")]
    heads = []
    for head in HEADS:
        accuracy = ours.loc[ours["head"] == head, "value"]
        chance = commonest_share(run.samples, head)
        if len(accuracy) and not np.isnan(chance):
            heads.append({"head": head, "accuracy": float(accuracy.iloc[0]), "chance": chance})
    return {
        "samples": {
            kind: {"all": int(chosen.sum()), "excluded": int((chosen & excluded).sum())}
            for kind, chosen in kinds.items()
        },
        "heads": heads,
    }
