"""The paper's results beside ours: in its order, and nothing said that is not known."""

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from tissuestate.paper_page import PAPER, Ours, beside_paper, describe, paper_page

PRINTED = pd.DataFrame(
    [("tissue", "accuracy", 0.97), ("subtype", "accuracy", 0.92)],
    columns=["head", "metric", "value"],
)
METRICS = pd.DataFrame(
    [("tissue", "accuracy", 0.8, 0.78, 0.82, 20)],
    columns=["head", "metric", "value", "low", "high", "n"],
)
NO_LEAKS = pd.DataFrame()


def ours(**changes) -> Ours:
    compared = pd.DataFrame(
        [("dt", "tissue", -0.2, -0.3, -0.1), ("et", "tissue", 0.01, -0.03, 0.04)],
        columns=["model", "head", "difference", "difference_low", "difference_high"],
    )
    facts = {
        "settings": dict.fromkeys(PAPER, "as here"),
        "hyperparameters": {"multitask": {"learning_rate": 0.00123, "widths": [64, 32]}},
        "table": beside_paper(METRICS, PRINTED, NO_LEAKS),
        "per_class": pd.DataFrame(
            [("tissue", "liver", 0.5, 0.25, 0.33, 8, 0.9)],
            columns=["head", "class", "precision", "recall", "f1", "support", "auc"],
        ),
        "comparison": compared.assign(metric="balanced_accuracy"),
        "benchmark": pd.DataFrame({"model": ["dl_pca", "dl_all"], "fit_seconds": [10.0, 27.0]}),
        "figures": dict.fromkeys(("confusion", "roc", "topk", "accuracy", "cost"), b"picture"),
    }
    return Ours(**(facts | changes))


def test_the_paper_stands_beside_ours_in_its_order():
    table = beside_paper(METRICS, PRINTED, NO_LEAKS)
    assert table["head"].tolist() == ["tissue", "subtype"]
    assert table["difference"].iloc[0] == pytest.approx(0.8 - 0.97)
    assert table["ours"].isna().tolist() == [False, True]


def test_ours_by_the_papers_protocol_is_shown_where_it_was_measured():
    leaks = pd.DataFrame(
        [("crossvalidation", 0.81, 0.8, 0.83), ("paper", 0.9, 0.88, 0.93)],
        columns=["leak", "value", "low", "high"],
    ).assign(head="tissue", metric="accuracy")
    table = beside_paper(METRICS, PRINTED, leaks)
    assert table["again"].iloc[0] == 0.9 and np.isnan(table["again"].iloc[1])
    assert "0.900 (0.880–0.930)" in paper_page(ours(table=table))
    assert "again" not in beside_paper(METRICS, PRINTED, leaks[leaks["leak"] != "paper"])


def test_every_figure_is_on_the_page_and_what_is_unknown_is_said_to_be():
    page = paper_page(ours())
    assert page.count("<img ") == 5
    assert page.count("is not part of this workflow") == 5  # what was chosen, and four figures
    assert "0.800 (0.780–0.820)" in page and "not computed" in page
    assert "Kidney and Colon twice" in page


def test_claims_are_counted_and_shown_with_their_uncertainty():
    page = paper_page(ours())
    assert "Of 2 such comparisons" in page and "holds in 1 and the opposite in 0" in page
    assert "holds: +0.200 (+0.100 to +0.300)" in page
    assert "cannot be told apart: -0.010 (-0.040 to +0.030)" in page
    assert "Here it is 2.7 times (10 s against 27 s" in page and "does not hold" in page
    alone = ours(benchmark=pd.DataFrame({"model": ["dl_pca"], "fit_seconds": [10.0]}))
    assert "This run has not both networks" in paper_page(alone)


def test_a_run_is_described_in_the_rows_of_the_papers():
    config = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    found = describe(config, 10116, 17993, "GTEx and TCGA")
    same = [name for name in PAPER if found[name] == PAPER[name]]
    assert list(found) == list(PAPER)
    assert same == [name for name in PAPER if name != "final training"]
    assert found["final training"] == "500 epochs (recipe paper)"
