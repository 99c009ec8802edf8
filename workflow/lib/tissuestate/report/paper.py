"""The paper's results beside those of a run, and its claims checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.labels import HEADS
from tissuestate.report.claims import CHEAPER, FAILS, HOLDS, check_claims, check_cost
from tissuestate.report.shares import count_hits, exact_interval


@dataclass(frozen=True)
class Settings:
    """Settings of a run.

    fractions: of training, validation and test samples. split_by_donor: whether these share no
    donor. fitted_on_all: whether correction and components were fitted on all samples, not on
    training samples alone. networks and search_epochs: of the search; epochs: of the final
    training. recipe: '' unknown.
    """

    samples: int
    studies: Sequence[str]
    genes: int
    fractions: Sequence[float]
    split_by_donor: bool
    fitted_on_all: bool
    components: int
    networks: int
    search_epochs: int
    epochs: int
    recipe: str = ""


PAPER = Settings(
    samples=10116,
    studies=("GTEx", "TCGA"),
    genes=17993,
    fractions=(0.70, 0.15, 0.15),
    split_by_donor=False,
    fitted_on_all=True,
    components=2000,
    networks=100,
    search_epochs=25,
    epochs=500,
)


@dataclass(frozen=True)
class RunResults:
    """Results of a run that the page shows; column names are those of the stages.

    hyperparameters: those that the search chose, by task. table: of `compare_with_paper`.
    per_class: of DL PCA. comparison, benchmark: of all models.
    """

    settings: Settings
    hyperparameters: Mapping[str, Mapping[str, Any]]
    table: pd.DataFrame
    per_class: pd.DataFrame
    comparison: pd.DataFrame
    benchmark: pd.DataFrame


def read_settings(
    config: Mapping[str, Any], samples: int, genes: int, studies: Sequence[str]
) -> Settings:
    """The settings of a run with this config, these studies and numbers of samples and genes."""
    tuning, training = config["tuning"], config["training"]
    return Settings(
        samples=samples,
        studies=tuple(studies),
        genes=genes,
        fractions=tuple(config["split"]["fractions"]),
        split_by_donor=config["split"]["mode"] == "donor",
        fitted_on_all=config["fit_on"] == "all",
        components=config["features"]["components"],
        networks=tuning["evaluations"],
        search_epochs=tuning["epochs"],
        epochs=training["epochs"],
        recipe=training["recipe"],
    )


def compare_with_paper(
    metrics: pd.DataFrame, paper: pd.DataFrame, leaks: pd.DataFrame
) -> pd.DataFrame:
    """The test results of paper and run: head, metric, paper, ours, low, high, n, difference.

    `metrics` has head, metric, value, low, high, n; `paper` has head, metric, value. The order is
    the paper's; a metric that the run lacks stays empty. If `leaks`
    (`protocols.results.compare_leaks`) has the paper's protocol, its value, low and high follow as
    again, again_low and again_high.
    """
    keys = ["head", "metric"]
    table = paper.rename(columns={"value": "paper"}).merge(
        metrics.rename(columns={"value": "ours"}), on=keys, how="left"
    )
    table["difference"] = table["ours"] - table["paper"]
    table = table[[*keys, "paper", "ours", "low", "high", "n", "difference"]]
    again = leaks[leaks["leak"] == "paper"] if len(leaks) else leaks
    if again.empty:
        return table
    names = {"value": "again", "low": "again_low", "high": "again_high"}
    return table.merge(again[[*keys, *names]].rename(columns=names), on=keys, how="left")


def paper_facts(run: RunResults) -> dict[str, Any]:
    """Facts of the page: claims, figures of both runs, and how the runs differ."""
    totals = _totals(run.table)
    return {
        "settings": {"paper": PAPER, "run": run.settings},
        "hyperparameters": run.hyperparameters,
        "parameters": list(
            dict.fromkeys(name for found in run.hyperparameters.values() for name in found)
        ),
        "totals": totals,
        "places": {
            place: sum(row["place"] == place for row in totals)
            for place in ("above", "within", "below", "")
        },
        "has_paper_protocol": "again" in run.table,
        "per_class": _per_class(run.per_class),
        "claims": _claims(run.comparison),
        "cost": check_cost(run.benchmark),
        "cheaper": CHEAPER,
    }


def _totals(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of `compare_with_paper`; samples is None if the run lacks the metric.

    An accuracy without spread, as all calls are right, has its exact interval. place: where the
    interval lies, above, within (around) or below the paper's figure; '' without an interval.
    """
    rows = []
    for found in table.to_dict("records"):
        row: dict[str, Any] = {str(name): value for name, value in found.items()}
        samples = None if np.isnan(row["n"]) else int(row["n"])
        if samples and row["metric"] == "accuracy" and row["low"] == row["high"]:
            hits = count_hits(row["ours"], samples)
            row["low"], row["high"] = exact_interval(hits, samples)
        place = ""
        if row["low"] < row["high"]:
            place = "above" if row["low"] > row["paper"] else "within"
            place = "below" if row["high"] < row["paper"] else place
        rows.append({**row, "samples": samples, "place": place})
    return rows


def _per_class(per_class: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """The scores of each class, by head."""
    scores = per_class.astype(dict.fromkeys(("precision", "recall", "f1", "auc"), float))
    found = {head: scores[scores["head"] == head].to_dict("records") for head in HEADS}
    return {head: rows for head, rows in found.items() if rows}


def _claims(comparison: pd.DataFrame) -> dict[str, Any]:
    """The claims by model, then by head, and how many of them hold and fail."""
    claims = check_claims(comparison)
    models: dict[str, dict[str, Any]] = {}
    for row in claims.to_dict("records"):
        models.setdefault(row["model"], {})[row["head"]] = row
    return {
        "heads": list(claims["head"].unique()),
        "models": models,
        "all": len(claims),
        "held": int((claims["verdict"] == HOLDS).sum()),
        "failed": int((claims["verdict"] == FAILS).sum()),
    }
