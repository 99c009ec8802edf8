"""The paper's results beside those of a run: order, facts and gaps."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import DEFAULTS, ROOT
from reading import MARKUP, Page, render_page
from tissuestate.report.figures.paper import paper_intervals
from tissuestate.report.paper import (
    PAPER,
    RunResults,
    compare_with_paper,
    paper_facts,
    read_settings,
)
from tissuestate.startup.config import read_layers

PRINTED = pd.DataFrame(
    [("tissue", "accuracy", 0.97), ("subtype", "accuracy", 0.92)],
    columns=["head", "metric", "value"],
)
METRICS = pd.DataFrame(
    [("tissue", "accuracy", 0.8, 0.78, 0.82, 20)],
    columns=["head", "metric", "value", "low", "high", "n"],
)
NO_LEAKS = pd.DataFrame()


def results(name: str = "liver", **changes) -> RunResults:
    """A run's results; `name` stands wherever a run brings names of its own."""
    compared = pd.DataFrame(
        [("dt", "tissue", -0.2, -0.3, -0.1), ("et", "tissue", 0.01, -0.03, 0.04)],
        columns=["model", "head", "difference", "difference_low", "difference_high"],
    )
    parts = {
        "settings": replace(PAPER, studies=("GTEx", name), recipe=name),
        "hyperparameters": {
            "multitask": {"learning_rate": 0.00123, "widths": [64, 32], "optimizer": name}
        },
        "table": compare_with_paper(METRICS, PRINTED, NO_LEAKS),
        "per_class": pd.DataFrame(
            [("tissue", name, 0.5, 0.25, 0.33, 8, 0.9)],
            columns=["head", "class", "precision", "recall", "f1", "support", "auc"],
        ),
        "comparison": compared.assign(metric="balanced_accuracy"),
        "benchmark": pd.DataFrame({"model": ["dl_pca", "dl_all"], "fit_seconds": [10.0, 27.0]}),
    }
    return RunResults(**(parts | changes))


def page_of(run: RunResults, **more) -> Page:
    facts = paper_facts(run)
    picture = paper_intervals(facts["totals"])
    return Page(render_page("paper.html.j2", {**facts, "picture": picture, **more}))


def test_the_comparison_is_in_the_order_of_the_paper():
    table = compare_with_paper(METRICS, PRINTED, NO_LEAKS)
    assert table["head"].tolist() == ["tissue", "subtype"]
    assert table["difference"].iloc[0] == pytest.approx(0.8 - 0.97)
    assert table["ours"].isna().tolist() == [False, True]
    assert [row["samples"] for row in paper_facts(results(table=table))["totals"]] == [20, None]


def test_the_result_with_the_papers_protocol_is_shown_if_measured():
    leaks = pd.DataFrame(
        [("crossvalidation", 0.81, 0.8, 0.83), ("paper", 0.9, 0.88, 0.93)],
        columns=["leak", "value", "low", "high"],
    ).assign(head="tissue", metric="accuracy")
    table = compare_with_paper(METRICS, PRINTED, leaks)
    assert table["again"].iloc[0] == 0.9 and np.isnan(table["again"].iloc[1])
    assert paper_facts(results(table=table))["has_paper_protocol"]
    assert "0.900 (0.880–0.930)" in page_of(results(table=table)).text
    assert not paper_facts(results())["has_paper_protocol"]
    assert "again" not in compare_with_paper(METRICS, PRINTED, leaks[leaks["leak"] != "paper"])


def test_a_run_lies_above_within_or_below_the_paper_by_its_interval():
    bounds = [(0.95, 0.9, 0.96), (0.98, 0.975, 0.99), (0.9, 0.89, 0.91), (1.0, 1.0, 1.0)]
    metrics = pd.DataFrame(bounds, columns=["value", "low", "high"]).assign(
        head=["disease_state", "tissue", "subtype", "tumour"], metric="accuracy", n=13
    )
    paper = metrics[["head", "metric"]].assign(value=0.955)
    table = compare_with_paper(metrics, paper, NO_LEAKS)
    totals = paper_facts(results(table=table))["totals"]
    assert [row["place"] for row in totals] == ["within", "above", "below", "within"]
    assert totals[-1]["low"] == pytest.approx(0.025 ** (1 / 13))  # exact: 13 of 13
    auc = compare_with_paper(metrics.assign(metric="auc"), paper.assign(metric="auc"), NO_LEAKS)
    assert paper_facts(results(table=auc))["places"] == {"above": 1, "within": 1, "below": 1, "": 1}


def test_simulated_samples_are_not_compared():
    page = page_of(results(), simulated=True)
    assert "svg" not in [tag for tag, *_ in page.elements]
    assert "0.800" not in page.text and "2.7 times" not in page.text
    assert "0.0012" in page.text  # what the search chose


def test_every_number_is_on_the_page():
    page = page_of(results())
    assert [tag for tag, *_ in page.elements].count("circle") == 1  # of two figures one is known
    for shown in ("0.800 (0.780–0.820)", "not computed", "-0.170", "0.0012", "64, 32"):
        assert shown in page.text
    for shown in ("+0.200 (+0.100 to +0.300)", "-0.010 (-0.040 to +0.030)", "2.7 times"):
        assert shown in page.text


def test_claims_are_counted():
    claims = paper_facts(results())["claims"]
    assert (claims["all"], claims["held"], claims["failed"]) == (2, 1, 0)
    assert claims["models"]["dt"]["tissue"]["verdict"] == "holds"
    assert claims["models"]["et"]["tissue"]["verdict"] == "open"
    assert claims["heads"] == ["tissue"]


def test_without_the_network_on_all_genes_the_cost_is_not_compared():
    assert paper_facts(results())["cost"].ratio == pytest.approx(2.7)
    alone = results(benchmark=pd.DataFrame({"model": ["dl_pca"], "fit_seconds": [10.0]}))
    assert paper_facts(alone)["cost"] is None
    assert page_of(alone).text != page_of(results()).text


def test_classes_are_grouped_by_head():
    classes = paper_facts(results())["per_class"]
    assert list(classes) == ["tissue"]
    assert [(row["class"], row["support"]) for row in classes["tissue"]] == [("liver", 8)]


def test_the_papers_own_config_has_its_settings():
    config = read_layers(DEFAULTS, ROOT / "config" / "paper.yaml")
    found = read_settings(config, 10116, 17993, ["GTEx", "TCGA"])
    assert found == replace(PAPER, recipe="paper")


def test_markup_in_names_is_shown_as_text():
    plain, marked = page_of(results("NAME")), page_of(results(MARKUP))
    assert marked.elements == plain.elements
    assert marked.text == plain.text.replace("NAME", MARKUP)
    assert marked.text.count(MARKUP) == 4
