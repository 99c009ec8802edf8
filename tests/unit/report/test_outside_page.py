"""The page on calls in other laboratories, and the program that makes it."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reading import render_page
from scipy.stats import beta
from tissuestate.evaluation.outside import (
    COLUMNS,
    count_reasons,
    score_outside,
    tabulate_answers,
)
from tissuestate.labels import STATES
from tissuestate.report.figures.intervals import laboratory_intervals
from tissuestate.report.outside import outside_facts
from tissuestate.report.shares import exact_interval
from tissuestate.tables import read_strings

CLASSES = {
    "disease_state": list(STATES),
    "tissue": ["kidney", "liver"],
    "subtype": [],
    "subtypes_of": {},
}


@cache
def make_page_facts(refused: str = "") -> dict:
    """Facts of forty samples of two laboratories, each called as its label; ten are of no class."""
    n, rng = 40, np.random.default_rng(0)
    names = [f"s{i}" for i in range(n)]
    tissue = np.where(np.arange(n) % 2, "kidney", "liver")
    calls = pd.DataFrame({"refused": refused, "novelty": rng.uniform(0.5, 2, n)}, index=names)
    calls["tissue"], calls["disease_state"] = tissue, "neoplastic"
    calls["tissue_probability"], calls["tissue_abstained"] = 0.9, ""
    for head, own in (("tissue", tissue), ("disease_state", np.full(n, "neoplastic"))):
        for name in CLASSES[head]:
            share = np.where(own == name, 0.9, 0.1 / (len(CLASSES[head]) - 1))
            calls[f"{head}:{name}"] = np.nan if refused else share
    if refused:
        calls[["tissue", "disease_state"]] = ""
    labels = pd.DataFrame(
        {
            "laboratory": np.where(np.arange(n) < 15, "first", "second"),
            "tissue": np.where(np.arange(n) < 30, tissue, "other"),
            "disease_state": "neoplastic",
            "subtype": "",
            "what": "tumour & stroma",
            "doubt": "",
        },
        index=names,
    )
    labels.loc["s0", "tissue"] = "kidney"  # its answer is wrong
    scores = score_outside(calls, labels, CLASSES)
    reasons = count_reasons(calls, {"s1": ["a warning"]}, CLASSES)
    answers = tabulate_answers(calls, labels, CLASSES)
    return outside_facts("a bundle", calls, labels, scores, reasons, answers, {})


def test_the_interval_is_that_of_clopper_and_pearson():
    low, high = exact_interval(7, 9)
    assert (low, high) == pytest.approx((beta.ppf(0.025, 7, 3), beta.ppf(0.975, 8, 2)))
    assert exact_interval(5, 5)[1] == 1


def test_goals_say_what_is_reached():
    goals = {(goal["question"], goal["metric"]): goal for goal in make_page_facts()["goals"]}
    right = goals["tissue", "right_of_answered"]
    assert right["pooled"] == pytest.approx(29 / 30)
    assert right["even"] == pytest.approx((14 / 15 + 1) / 2)
    assert (right["samples"], right["laboratories"]) == (30, 2)
    assert not right["reached"]
    assert goals["tissue", "answered"]["reached"]
    assert not goals["new", "answered"]["reached"]  # all ten got an answer
    assert not goals["tumour", "healthy_likeliest_tumour"]["reached"]  # none is healthy: not known


def test_mistakes_are_named():
    mistakes = make_page_facts()["mistakes"]
    assert mistakes["tissue"]["sample"].tolist() == ["s0"]
    assert len(mistakes["new"]) == 10
    page = render_page("outside.html.j2", make_page_facts())
    assert "tumour &amp; stroma" in page
    assert "the curve of the training laboratories and the area are missing" in page


def test_a_page_is_made_though_every_file_is_refused():
    page = render_page("outside.html.j2", make_page_facts("no gene is known"))
    assert "no gene is known" in page
    assert "40 were refused" in page


def test_a_laboratory_without_answers_has_no_share_of_them_right():
    answers = pd.DataFrame({"answered": [True, False], "right": True}, index=["a", "b"])
    svg = laboratory_intervals(answers, pd.Series({"a": "first", "b": "second"}))
    assert re.findall(r"<title>(.*?), \d+\.\d%", svg) == [
        "first, Answered: 1 of 1",
        "second, Answered: 0 of 1",
        "first, Right, of the answered: 1 of 1",
    ]
    assert "the model that calls" not in svg


def test_counts_are_those_of_the_calls():
    verdict = make_page_facts()["verdict"]
    right = verdict["tissue_right"]
    assert (right["hits"], right["samples"]) == (29, 30)
    assert right["even"] == pytest.approx((14 / 15 + 1) / 2)
    assert (verdict["new_answered"]["hits"], verdict["new_answered"]["samples"]) == (10, 10)
    assert verdict["subtype_right"]["samples"] == 0  # the model has none
    page = render_page("outside.html.j2", make_page_facts())
    assert "<strong>29 of 30</strong>" in page and "<td>Subtype</td>" not in page


@pytest.mark.slow
def test_the_program_calls_a_folder_and_keeps_rows_of_other_bundles(root: Path, tmp_path: Path):
    matrix = pd.read_csv(root / "tests" / "data" / "counts.tsv", sep="\t", index_col=0)
    matrix.to_csv(tmp_path / "set1.tsv.gz", sep="\t")
    samples = pd.DataFrame({"sample": matrix.columns})
    columns = {"set": "set1", "laboratory": "first", "file": "set1.tsv.gz", "tissue": "kidney"}
    columns |= {"disease_state": "neoplastic", "subtype": "", "what": "kidney tumour"}
    columns |= {"protocol": "poly-A", "unit": "count", "gene_ids": "symbol"}
    samples.assign(**columns).to_csv(tmp_path / "samples.tsv", sep="\t", index=False)
    table, page = tmp_path / "external.tsv", tmp_path / "page" / "external.html"
    earlier = pd.DataFrame({"model": ["one", "two"], **dict.fromkeys(COLUMNS, "earlier")})
    earlier.to_csv(table, sep="\t", index=False)
    program = [sys.executable, root / "benchmarks" / "external.py", root / "tests/data/bundle"]
    environment = {**os.environ, "PYTHONPATH": str(root / "workflow" / "lib")}
    given = [tmp_path, table, page, "--name", "two"]
    subprocess.run([*program, *given], check=True, env=environment)
    rows = read_strings(table)
    assert rows.loc[rows["metric"] == "earlier", "model"].tolist() == ["one"]
    answered = rows[(rows["question"] == "tissue") & (rows["metric"] == "answered")]
    assert set(answered["samples"]) == {str(len(samples))}
    assert "two" in page.read_text(encoding="utf-8")
