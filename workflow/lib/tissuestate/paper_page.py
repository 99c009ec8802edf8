"""The paper's results beside ours on one page, through its tables and figures in their order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tissuestate import pages
from tissuestate.claims import CHEAPER, FAILS, HOLDS, check_claims, check_cost
from tissuestate.sheet import HEADS
from tissuestate.wording import class_title, head_title, metric_title, model_title

PAPER = {
    "samples": "10,116 of GTEx and TCGA",
    "genes": "17,993",
    "split": "70 : 15 : 15, at random",
    "correction and components fitted on": "all samples",
    "principal components": "2,000",
    "search": "100 networks of 25 epochs",
    "final training": "500 epochs",
}
NOT_HERE = "is not part of this workflow's resources."
ABOUT = {
    "confusion": f"The paper's figure {NOT_HERE}",
    "roc": f"The paper's areas, their mean over the classes, are above; the rest {NOT_HERE}",
    "topk": f"The paper's figure {NOT_HERE}",
}


@dataclass(frozen=True)
class Ours:
    """What the page shows of a run; column names are those of the stages.

    settings: values for the rows of `PAPER`. hyperparameters: what the search chose, by task.
    table: of `beside_paper`. per_class: of DL PCA. comparison, benchmark: of all models. figures:
    PNGs by name: confusion, roc, topk, accuracy and cost.
    """

    settings: Mapping[str, str]
    hyperparameters: Mapping[str, Mapping[str, Any]]
    table: pd.DataFrame
    per_class: pd.DataFrame
    comparison: pd.DataFrame
    benchmark: pd.DataFrame
    figures: Mapping[str, bytes]


def describe(config: Mapping[str, Any], samples: int, genes: int, studies: str) -> dict[str, str]:
    """The rows of `PAPER` for a run with this config on so many samples and genes."""
    shares = " : ".join(f"{100 * share:.0f}" for share in config["split"]["fractions"])
    tuning, training = config["tuning"], config["training"]
    values = (
        f"{samples:,} of {studies}",
        f"{genes:,}",
        f"{shares}, " + ("donors apart" if config["split"]["mode"] == "donor" else "at random"),
        "all samples" if config["fit_on"] == "all" else "training samples",
        f"{config['features']['components']:,}",
        f"{tuning['evaluations']} networks of {tuning['epochs']} epochs",
        f"{training['epochs']} epochs (recipe {training['recipe']})",
    )
    return dict(zip(PAPER, values, strict=True))


def beside_paper(metrics: pd.DataFrame, paper: pd.DataFrame, leaks: pd.DataFrame) -> pd.DataFrame:
    """The paper's test results beside ours: head, metric, paper, ours, low, high, n, difference.

    `metrics` has head, metric, value, low, high, n; `paper` has head, metric, value. The order is
    the paper's; a metric that we lack stays empty. Where `leaks` (see `tissuestate.assess`) has
    the paper's protocol, its value, low and high follow as again, again_low and again_high.
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


def paper_page(ours: Ours) -> str:
    """The page: how the runs differ, then each table and figure of the paper and ours."""
    body = [
        *_runs(ours),
        *_totals(ours.table),
        *_drawn(ours, "Confusion matrices", "confusion"),
        *_drawn(ours, "ROC curves", "roc"),
        *_by_class(ours.per_class),
        *_drawn(ours, "Top-K accuracy", "topk"),
        *_benchmark(ours),
        *_cost(ours),
    ]
    return pages.page("The paper's results beside ours", body)


def _runs(ours: Ours) -> list[str]:
    rows = [(name, text, ours.settings[name]) for name, text in PAPER.items()]
    chosen = pd.DataFrame(
        {
            f"{task} network": {
                name.replace("_", " "): _plain(value) for name, value in found.items()
            }
            for task, found in ours.hyperparameters.items()
        }
    )
    return [
        pages.paragraph(
            "Hong, Hachem & Fehlings, Scientific Reports 2022 (doi 10.1038/s41598-022-13665-5), "
            "table by table and figure by figure, DL PCA's test results of this run beside the "
            "paper's. Samples and protocol differ, so no difference below is one of programs alone."
        ),
        pages.table(pd.DataFrame(rows, columns=["", "the paper", "this run"])),
        pages.heading("Hyper-parameters that the search chose"),
        pages.table(chosen.rename_axis("").reset_index().fillna("")),
        pages.paragraph(f"What the paper's search chose {NOT_HERE}", "small"),
    ]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def _totals(table: pd.DataFrame) -> list[str]:
    shown = pd.DataFrame(
        {
            "question": [head_title(head) for head in table["head"]],
            "metric": [metric_title(metric) for metric in table["metric"]],
            "the paper": table["paper"],
            "this run (95 % interval)": _intervals(table, "ours", "low", "high"),
            "difference": ["" if np.isnan(gap) else f"{gap:+z.3f}" for gap in table["difference"]],
            "test samples": table["n"].astype("Int64").astype(str).replace("<NA>", ""),
        }
    )
    remark = (
        "The paper's split and fitting let something of the test samples into training; the first "
        "table says whether this run's do."
    )
    if "again" in table:
        again = _intervals(table, "again", "again_low", "again_high")
        shown["by the paper's protocol"] = again
        remark += (
            " By the paper's protocol: DL PCA cross-validated on this run's samples with a random "
            "split and everything fitted on all of them, as nearly as possible the paper's way."
        )
    return [
        pages.heading("Accuracy and area under the ROC curve"),
        pages.table(shown),
        pages.paragraph(remark, "small"),
    ]


def _intervals(table: pd.DataFrame, *columns: str) -> list[str]:
    rows = table[list(columns)].itertuples(index=False, name=None)
    return [pages.with_interval(*row) for row in rows]


def _drawn(ours: Ours, title: str, name: str) -> list[str]:
    return [
        pages.heading(title),
        pages.picture(ours.figures[name], f"{title} of this run"),
        pages.paragraph(ABOUT[name], "small"),
    ]


def _by_class(per_class: pd.DataFrame) -> list[str]:
    scores = {name: metric_title(name) for name in ("precision", "recall", "f1", "auc")}
    columns = {"class": "class", "support": "test samples"} | scores
    per_class = per_class.astype(dict.fromkeys(scores, float))
    tables = []
    for head in HEADS:
        rows = per_class.loc[per_class["head"] == head, list(columns)].rename(columns=columns)
        if len(rows):
            rows["class"] = [
                f"{name} ({class_title(name)})" if class_title(name) else name
                for name in rows["class"]
            ]
            tables.append(pages.table(rows, head_title(head)))
    return [
        pages.heading("Class by class"),
        *tables,
        pages.paragraph(
            "The paper's tables by class are left out, because some of their labels cannot be "
            "right. That of tissues prints Kidney and Colon twice: by elimination the second pair, "
            "with 82 and 80 test samples, is prostate and head & neck. That of subtypes looks "
            "permuted: it has 23 test samples of kich among 454, where 15 % of the 60 such tumours "
            "would be nine, and not one of 11 of ucec called right. The paper's totals above do "
            "not depend on these labels.",
            "warning",
        ),
    ]


def _benchmark(ours: Ours) -> list[str]:
    claims = check_claims(ours.comparison)
    cells = pd.DataFrame(
        {
            "DL PCA against": [model_title(model) for model in claims["model"]],
            "head": [head_title(head) for head in claims["head"]],
            "text": [
                f"{row.verdict}: {row.gain:+z.3f} ({row.low:+z.3f} to {row.high:+z.3f})"
                for row in claims.itertuples()
            ],
        }
    )
    count = claims["verdict"].value_counts()
    return [
        pages.heading("Benchmark"),
        pages.picture(ours.figures["accuracy"], "Balanced accuracy of all models of this run"),
        pages.paragraph(f"The paper's figure {NOT_HERE}", "small"),
        pages.paragraph(
            "The paper's claim is that DL PCA scores higher than the same network on other "
            f"features and than five classical models. Of {len(claims)} such comparisons on this "
            f"run's test samples, the claim holds in {count.get(HOLDS, 0)} and the opposite in "
            f"{count.get(FAILS, 0)}; in the others the two cannot be told apart."
        ),
        pages.table(pages.wide(cells, "DL PCA against", "head")),
        pages.paragraph(
            "Difference in balanced accuracy on the same test samples, DL PCA's less the other's, "
            "with its 95 % bootstrap interval over donors.",
            "small",
        ),
    ]


def _cost(ours: Ours) -> list[str]:
    cost = check_cost(ours.benchmark)
    found = (
        "This run has not both networks."
        if cost is None
        else f"Here it is {cost.ratio:.1f} times ({cost.components:.0f} s against "
        f"{cost.all_genes:.0f} s for the final training, the search left out): the claim "
        f"{cost.verdict}."
    )
    return [
        pages.heading("Cost"),
        pages.picture(ours.figures["cost"], "Time and memory of all models of this run"),
        pages.paragraph(
            f"The paper's claim is that DL PCA is about {CHEAPER:.0f} times cheaper than the "
            f"network on all genes. {found} How many genes there are decides most of it."
        ),
    ]
