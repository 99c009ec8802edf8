"""Laboratories by tissue and state, counted by hand."""

import pandas as pd
from tissuestate.cohort.laboratories import (
    laboratories_left_out,
    laboratory_support,
    laboratory_table,
)

SAMPLES = pd.DataFrame(
    [
        ("liver", "neoplastic", "A"),
        ("liver", "neoplastic", "A"),
        ("liver", "neoplastic", "B"),
        ("kidney", "non-neoplastic", "B"),
        ("kidney", "neoplastic", "C"),
        ("other", "", "D"),
    ],
    columns=["tissue", "disease_state", "laboratory"],
)


def test_the_table_has_every_pair_and_the_holes():
    assert laboratory_table(SAMPLES).to_numpy().tolist() == [
        ["kidney", "non-neoplastic", "B", 1],
        ["kidney", "neoplastic", "C", 1],
        ["liver", "non-neoplastic", "", 0],
        ["liver", "neoplastic", "A", 2],
        ["liver", "neoplastic", "B", 1],
        ["other", "", "D", 1],
    ]


def test_pairs_without_a_sample_or_of_one_laboratory_are_counted():
    support = laboratory_support(SAMPLES)
    assert support["cells"]["liver"]["neoplastic"] == {"samples": 3, "laboratories": 2}
    assert support["cells"]["liver"]["non-neoplastic"] == {"samples": 0, "laboratories": 0}
    counted = {name: support[name] for name in ("laboratories", "pairs", "missing", "single")}
    assert counted == {"laboratories": 3, "pairs": 4, "missing": 1, "single": 2}
    assert laboratory_support(SAMPLES[:0])["pairs"] == 0


def cohort_of(**sizes: int) -> pd.DataFrame:
    """So many samples of each laboratory; those whose name starts with X have no class."""
    rows = [
        (name, "other" if name[0] == "X" else "liver")
        for name, n in sizes.items()
        for _ in range(n)
    ]
    return pd.DataFrame(rows, columns=["laboratory", "tissue"])


def test_laboratories_are_left_out_if_there_are_four_with_classes():
    assert laboratories_left_out(cohort_of(C=3, A=3, D=3, B=3)) == ["A", "B", "C", "D"]
    assert laboratories_left_out(cohort_of(A=3, B=3, C=3)) == []
    assert laboratories_left_out(cohort_of(A=3, B=3, C=3, X1=3, X2=3)) == []
    assert laboratories_left_out(cohort_of(A=3, B=3, C=3, D=1, X=9)) == ["A", "B", "C", "D", "X"]
    assert laboratories_left_out(cohort_of(A=3)[:0]) == []


def test_a_laboratory_of_most_samples_always_trains():
    assert laboratories_left_out(cohort_of(A=7, B=2, C=2, D=2)) == ["B", "C", "D"]
    assert laboratories_left_out(cohort_of(A=6, B=2, C=2, D=2)) == ["A", "B", "C", "D"]
    assert laboratories_left_out(cohort_of(A=6, B=2, C=2, D=1, X=9)) == ["B", "C", "D", "X"]
