"""Laboratories by tissue and state, counted by hand."""

import pandas as pd
from tissuestate.cohort.laboratories import laboratory_support, laboratory_table

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
