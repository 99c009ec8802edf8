"""The model card says what the bundle's description says, and what must be doubted."""

import pytest
from tissuestate.model_card import write_card


@pytest.fixture
def description():
    return {
        "classes": {
            "disease_state": ["non-neoplastic", "neoplastic"],
            "tissue": ["kidney", "liver"],
            "subtype": ["kirc", "kirp"],
        },
        "subtypes_of": {"kidney": ["kirc", "kirp"]},
        "genes": ["A"] * 17993,
        "trust": {
            "sets": [{"head": "tissue", "coverage": 0.91, "low": 0.88, "high": 0.94, "size": 1.1}],
            "answered": [{"head": "tissue", "share": 0.965, "accuracy": 0.994}],
        },
        "thresholds": {"genes": 0.5, "mrin": -0.11},
        "metrics": [
            {
                "head": "tissue",
                "metric": "accuracy",
                "value": 0.97,
                "low": 0.95,
                "high": 0.98,
                "n": 99,
            },
            {"head": "tissue", "metric": "top3", "value": 0.123, "low": 0.1, "high": 0.2, "n": 99},
            {"head": "subtype", "metric": "auc", "value": None, "low": None, "high": None, "n": 5},
        ],
        "data": {
            "samples": {"train": 7081, "validation": 1517, "test": 1518},
            "donors": 9000,
            "shared_donors": 0,
            "studies": {"GTEx": {"non-neoplastic": 4000, "neoplastic": 0}},
            "classes": [
                {
                    "head": "tissue",
                    "class": "kidney",
                    "train": 70,
                    "validation": 15,
                    "test": 14,
                    "total": 99,
                }
            ],
            "contrasts": [
                {"first": "non-neoplastic", "second": "neoplastic", "studies": "", "samples": 0}
            ],
            "fingerprints": {"the cohort": "ab12"},
        },
        "config": {"fit_on": "train"},
        "versions": {"torch": "2.13.0"},
    }


def test_classes_metrics_with_intervals_and_provenance_are_there(description):
    card = write_card(description)
    assert "kidney: kirc, kirp" in card
    assert "17,993 genes" in card
    assert "| Tissue of origin | accuracy | 0.970 (0.950–0.980) | 99 |" in card
    assert "| Tissue of origin | 0.910 (0.880–0.940) | 1.10 | 0.965 | 0.994 |" in card
    assert "| Subtype | AUC | not computed | 5 |" in card
    assert "7,081 training samples" in card
    assert "| Tissue of origin | kidney | 70 | 15 | 14 |" in card
    assert "| GTEx | non-neoplastic | 4,000 |" in card
    assert "torch 2.13.0" in card
    assert "`ab12`" in card
    assert "0.123" not in card  # metrics that a card does not need


def test_confounding_of_study_and_state_is_named_only_where_it_is(description):
    assert "non-neoplastic and neoplastic. What tells them apart may be the study" in write_card(
        description
    )
    assert "Source and subtype" not in write_card(description)
    description["data"]["contrasts"][0]["studies"] = "TCGA"
    assert "confounded" not in write_card(description)
    subtypes = {"head": "subtype", "first": "kirc", "second": "kirp", "studies": "", "samples": 0}
    description["data"]["contrasts"].append(subtypes)
    assert "the same study and source: kirc and kirp. What tells" in write_card(description)


def test_what_makes_the_figures_optimistic_is_said(description):
    assert "optimistic" not in write_card(description)
    description["data"]["shared_donors"] = 12
    assert "12 donors have samples on several sides" in write_card(description)
    description["config"]["fit_on"] = "all"
    assert "fitted on all samples" in write_card(description)


def test_tables_are_whole(description):
    for block in write_card(description).split("\n\n"):
        lines = block.splitlines()
        if lines[0].startswith("|"):
            assert len({line.count("|") for line in lines}) == 1
