"""The model card: facts from the bundle's description, and its tables."""

import math

import pytest
from reading import MARKUP, Page, table_rows
from tissuestate.bundle.card import card_facts
from tissuestate.report.document import render_document
from tissuestate.report.render import render


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
            "answered": [{"head": "tissue", "share": 90 / 99, "accuracy": 88 / 90, "n": 90}],
        },
        "thresholds": {"genes": 0.5, "mrin": -0.11},
        "metrics": [
            {
                "head": "tissue",
                "metric": "accuracy",
                "value": 96 / 99,
                "low": 0.95,
                "high": 0.98,
                "n": 99,
            },
            {"head": "tissue", "metric": "auc", "value": 0.99, "low": 0.98, "high": 1.0, "n": 99},
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


def write_card(description) -> str:
    return render("model_card.md.j2", card_facts(description))


def test_the_tables_show_counts_and_metrics_with_their_intervals(description):
    card = write_card(description)
    assert "17,993 genes" in card
    asked, answered = "96 of 99 (91–99 %)", "88 of 90 (92–100 %)"
    scores = [asked, "not computed", "0.990 (0.980–1.000)", "90 of 99", answered, "91%"]
    for row in (
        ["GTEx", "4,000", "0"],
        ["kidney", "70", "15", "14"],
        ["Tissue of origin", *scores],
    ):
        assert row in table_rows(card)
    for shown in ("7,081", "9,000", "torch 2.13.0", "`ab12`"):
        assert shown in card


def test_each_class_has_its_record_with_its_plain_name_and_code(description):
    numbers = {"train": 62, "laboratories": 3, "test": 8, "test_right": 6, "called": 7}
    numbers |= {"called_right": 5, "outside": 9, "outside_answered": 0, "outside_right": 0}
    description["record"] = {"tissue": {"head_neck": numbers}, "subtype": {"kirc": numbers}}
    description["names"] = {"head_neck": "head and neck", "kirc": "a carcinoma (KIRC)"}
    rows = table_rows(write_card(description))
    assert ["head and neck (`head_neck`)", "62", "3", "6 of 8", "5 of 7"] in rows
    assert ["a carcinoma (KIRC)", "62", "3", "6 of 8", "5 of 7"] in rows
    left_out = {"question": "tissue", "metric": "answered", "value": 1, "samples": 9}
    description["left_out"] = [left_out | {"laboratories": 4}]
    outside = ["a carcinoma (KIRC)", "62", "3", "6 of 8", "5 of 7", "0 of 9", "–"]
    assert outside in table_rows(write_card(description))


def test_the_page_shows_the_card_and_obeys_no_markup(description):
    description |= {"simulated": True, "names": {}}
    description["data"]["studies"] = {f"![x](http://x.y/z.png) {MARKUP}": {"neoplastic": 3}}
    text, page = render_document(
        "model_card.md.j2", {"title": "Model card", **card_facts(description)}
    )
    assert text.count("Simulated.") == page.count("Simulated.") == 1
    assert "<h1>Model card</h1>" in page and '<th scope="col">class</th>' in page
    assert MARKUP not in page and "<img" not in page and MARKUP in Page(page).text


def test_what_a_card_does_not_need_is_left_out(description):
    facts = card_facts(description)
    (row,) = facts["scores"]
    assert (row["question"], row["right"], row["asked"]) == ("tissue", 96, 99)
    assert math.isnan(row["balanced_accuracy"]["value"])
    assert facts["samples"] == {"train": 7081, "validation": 1517, "test": 1518}


def test_classes_without_a_common_batch_are_confounded(description):
    facts = card_facts(description)
    assert facts["states_confounded"] == [("non-neoplastic", "neoplastic")]
    assert facts["subtypes"]["withheld"] == []
    description["data"]["contrasts"][0]["studies"] = "TCGA"
    subtypes = {"head": "subtype", "first": "kirc", "second": "kirp", "studies": "", "samples": 0}
    description["data"]["contrasts"].append(subtypes)
    facts = card_facts(description)
    assert facts["states_confounded"] == []
    assert facts["subtypes"]["withheld"] == [("kirc", "kirp")]
    assert "no call is made between them" in write_card(description)
    called = {**description, "confounded_subtypes": []}
    assert card_facts(called)["subtypes"]["released"] == [("kirc", "kirp")]
    assert "so they are called: kirc and kirp" in write_card(called)


def test_states_that_a_tissue_lacked_are_named(description):
    assert card_facts(description)["unseen"] == [], "an earlier bundle does not say"
    seen = {"non-neoplastic": 5, "neoplastic": 0}, {"non-neoplastic": 5, "neoplastic": 7}
    description["data"]["states_of_tissue"] = dict(zip(("kidney", "liver"), seen, strict=True))
    facts = card_facts(description)
    assert facts["unseen"] == [("kidney", ["peri-neoplastic", "neoplastic"])]
    assert facts["states"] == ["non-neoplastic", "neoplastic"]
    assert ["kidney", "5", "0"] in table_rows(write_card(description))


def test_what_makes_the_figures_optimistic_is_known(description):
    facts = card_facts(description)
    assert not facts["shared_donors"] and not facts["fitted_on_all"]
    plain = write_card(description)
    description["data"]["shared_donors"] = 12
    description["config"]["fit_on"] = "all"
    assert card_facts(description)["shared_donors"] == 12
    assert card_facts(description)["fitted_on_all"]
    assert len(write_card(description).split("\n\n")) == len(plain.split("\n\n")) + 1


def test_laboratories_left_out_stand_beside_the_test_figures(description):
    assert card_facts(description)["left_out"] == []
    networks = write_card(description)
    assert "no laboratory was left out" in networks and "neural networks" in networks
    shown = {"question": "new", "metric": "answered", "value": 0.05, "samples": 160}
    hidden = shown | {"metric": "set_size"}
    rows = [row | {"laboratories": 14} for row in (shown, hidden)]
    rows.append(rows[0] | {"question": "tissue", "metric": "calibration_error", "value": None})
    ridge = {"left_out": rows, "calibration": {}}
    ridge["limits"] = {"tumour": [0.2, 0.85], "adjacent": None}
    card = write_card(description | ridge)
    assert ["Samples of no class", "5.0%", "–", "–", "–", "160", "14"] in table_rows(card)
    assert ["Tissue of origin", "–", "–", "–", "–", "160", "14"] in table_rows(card)
    assert "between 0.20 and 0.85" in card and "never called whether it is healthy" in card
    assert "neural networks" not in card and "no laboratory was left out" not in card
    limits = ridge["limits"] | {"adjacent": [0.3, 0.7]}
    assert "between 0.30 and 0.70" in write_card(description | ridge | {"limits": limits})


def test_no_name_breaks_a_table_or_the_card(description):
    def blocks(name: str) -> list[str]:
        data = description["data"]
        data["studies"] = {name: {name: 3}}
        data["classes"][0]["class"] = name
        data["states_of_tissue"] = {name: {name: 1}}
        return write_card(description).split("\n\n")

    plain, marked = blocks("NAME"), blocks(f"a|b\n{MARKUP}")
    assert len(marked) == len(plain)
    assert table_rows("\n\n".join(marked)) == [
        [cell.replace("NAME", f"a|b {MARKUP}") for cell in row]
        for row in table_rows("\n\n".join(plain))
    ]


def test_every_row_of_a_table_has_as_many_cells_as_its_header(description):
    for block in write_card(description).split("\n\n"):
        lines = block.splitlines()
        if lines[0].startswith("|"):
            assert len({line.count("|") for line in lines}) == 1
