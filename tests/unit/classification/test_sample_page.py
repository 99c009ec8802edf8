"""Facts and text of a sample's page; names never become markup."""

import numpy as np
import pandas as pd
import pytest
from reading import MARKUP, Page
from tissuestate.classification.page import BINS, GENES, Background, PlanePicture, sample_facts
from tissuestate.report.render import render

SHARES = {
    "disease_state": {"neoplastic": 0.996, "non-neoplastic": 0.004},
    "tissue": {"kidney": 0.6, "liver": 0.396, "lung": 0.002, "thyroid": 0.002},
    "subtype": {"kirc": 0.9, "kirp": 0.1},
}


def called(head: str, **changes) -> dict:
    shares = SHARES[head]
    first = next(iter(shares))
    answer = {"call": first, "abstained": "", "set": [first], "probability": shares[first]}
    return {**answer, "probabilities": shares, **changes}


def record(changes: dict | None = None, **others) -> dict:
    """A result of `Predictions.record`; `changes` are of heads."""
    return {
        "sample": "new1",
        "refused": "",
        "tumour": {"call": "yes", "probability": 0.996, "abstained": ""},
        "heads": {head: called(head, **(changes or {}).get(head, {})) for head in SHARES},
        "warnings": ["Its RNA looks degraded."],
        "recognition": "all genes found",
        "unit": "count",
        "mrin": -0.05,
        "novelty": 0.4,
        "point": [1.0, 2.0],
        **others,
    }


REFUSED = record(refused="too few genes.", tumour=None, heads={}, point=None, novelty=None)


def background(tissue: str = "kidney", mrin: tuple[float, ...] = (-0.2, -0.1, 0.0, 0.1)):
    plane = PlanePicture(b"png", {tissue: ("●", "#000")}, (0.1, 0.2), (0.8, 0.7), (0, 4, 0, 4))
    contrasts = [
        {"head": "tissue", "first": "kidney", "second": "liver", "studies": ""},
        {"head": "disease_state", "first": "neoplastic", "second": tissue, "studies": ""},
        {"head": "subtype", "first": "kirc", "second": "kirp", "studies": "TCGA"},
    ]
    return Background(plane, np.array(mrin), contrasts)


def genes(name: str = "GENE") -> pd.DataFrame:
    """Twelve genes of one head's call, in the order of their weights."""
    return pd.DataFrame(
        {
            "head": "tissue",
            "class": name,
            "rank": range(1, 13),
            "gene": [f"{name}{number}" for number in range(12)],
            "contribution": [-3.0, 2.5, 2.0, -1.5, 1.0, 0.5, 0.4, 0.3, 0.2, 0.2, 0.1, 0.1],
            "expression": [1.0, *[5.0] * 11],
            "average": 2.0,
            "difference": 7.0,
        }
    )


def test_classes_of_little_probability_are_counted_not_shown():
    heads = {row["head"]: row for row in sample_facts(record(), background())["heads"]}
    assert list(heads) == list(SHARES)
    assert heads["tissue"]["shown"] == {"kidney": 0.6, "liver": 0.396}
    assert [row["hidden"] for row in heads.values()] == [1, 2, 0]
    assert heads["tissue"]["set"] == ["kidney"]


def test_a_sample_called_no_tumour_has_no_bars_of_subtypes():
    why = "no tumour (98%), but healthy and adjacent tissue cannot be told apart (52% and 46%)"
    healthy = record(
        {"disease_state": {"call": "", "abstained": why}, "subtype": {"call": ""}},
        tumour={"call": "no", "probability": 0.02, "abstained": ""},
    )
    facts = sample_facts(healthy, background())
    text = Page(render("sample.html.j2", facts)).text
    assert "Tumour or not no 98 %" in " ".join(text.split()) and why in text
    assert [row["head"] for row in facts["heads"]] == ["disease_state", "tissue"]
    assert list(facts["answers"]) == list(SHARES), "whose answer says why"


def test_the_genes_that_weigh_most_are_sorted_with_their_sum():
    (tissue,) = sample_facts(record(), background(), genes())["drivers"]
    assert len(tissue["genes"]) == GENES
    weights = [gene["contribution"] for gene in tissue["genes"]]
    assert weights == sorted([-3.0, 2.5, 2.0, -1.5, 1.0, 0.5, 0.4, 0.3], reverse=True)
    assert [gene["higher"] for gene in tissue["genes"]] == [True] * 7 + [False]
    assert tissue["largest"] == 3.0
    assert tissue["together"] == pytest.approx(2.2)
    assert tissue["whole"] == 7.0
    assert sample_facts(record(), background())["is_explained"] is False
    assert sample_facts(record(), background(), genes().iloc[:0])["is_explained"] is False


def test_integrity_is_placed_among_that_of_the_training_samples():
    found = sample_facts(record(), background())["integrity"]
    assert found["share"] == 0.5
    assert found["samples"] == 4
    assert found["at"] == pytest.approx(0.5)
    assert len(found["heights"]) == BINS
    assert sum(found["heights"]) == 4.0 and max(found["heights"]) == 1.0
    assert sample_facts(record(mrin=-0.5), background())["integrity"]["at"] == 0.0
    assert sample_facts(record(mrin=None), background())["integrity"] is None
    assert sample_facts(record(), background(mrin=()))["integrity"] is None
    assert sample_facts(record(mrin=0.1), background(mrin=(0.1, 0.1)))["integrity"]["at"] == 0.0


def test_a_point_outside_the_picture_is_put_on_its_edge():
    inside = sample_facts(record(), background())["place"]
    assert inside == {"left": pytest.approx(0.3), "top": pytest.approx(0.55), "outside": False}
    outside = sample_facts(record(point=[9.0, 2.0]), background())["place"]
    assert outside == {"left": pytest.approx(0.9), "top": pytest.approx(0.55), "outside": True}
    assert sample_facts(REFUSED, background())["place"] is None


def test_states_and_subtypes_that_no_batch_held_together_are_named():
    assert sample_facts(record(), background())["confounded"] == [("neoplastic", "kidney")]


def test_the_page_shows_the_facts():
    page = Page(render("sample.html.j2", sample_facts(record(), background(), genes("kidney"))))
    for shown in ("new1", "kirc", "60 %", "looks degraded", "kidney7"):
        assert shown in page.text
    assert "99.6 %" in page.text, "as a bar"
    assert "100 %" not in page.text, "no rounded certainty"
    assert [tag for tag, *_ in page.elements].count("rect") == BINS


@pytest.mark.parametrize(
    "given",
    [
        record(mrin=None),
        record(mrin=None, reads=9e6, aligned=0.9, assigned=None),
        record({"tissue": {"call": "", "abstained": "too even", "set": []}}),
        record(tumour={"call": "", "probability": 0.5, "abstained": "uncertain"}),
        record(point=[1e6, -1e6]),
        record(input=[{"file": "a.fq", "sha256": None}]),
        REFUSED,
    ],
    ids=["no mRIN", "reads", "no answer", "tumour or not", "far away", "unknown file", "refused"],
)
def test_every_kind_of_result_has_a_page(given):
    page = Page(render("sample.html.j2", sample_facts(given, background(mrin=()))))
    answers = 0 if given["refused"] else 1 + len(SHARES)
    assert [tag for tag, *_ in page.elements].count("strong") == answers
    assert ("img", "alt", "src") in page.elements or given["refused"]
    assert given["refused"] in page.text
    for text in (
        *(given["warnings"] if not given["refused"] else ()),
        *(answer["abstained"] for answer in given["heads"].values()),
        given["tumour"]["abstained"] if given["tumour"] else "",
        *(part["file"] for part in given.get("input", ())),
    ):
        assert text in page.text


def test_no_name_becomes_markup():
    def page(name: str, why: str) -> Page:
        changes = {
            "tissue": {"call": name, "set": [name], "probabilities": {name: 0.9}},
            "subtype": {"call": "", "abstained": name},
        }
        given = record(changes, sample=name, refused=why, warnings=[name], recognition=name)
        given |= {"unit": name, "input": [{"file": name, "sha256": name}]}
        given |= {"bundle": {"folder": name, "fingerprint": name}}
        return Page(render("sample.html.j2", sample_facts(given, background(name), genes(name))))

    for why in (False, True):
        plain, marked = page("NAME", "NAME" * why), page(MARKUP, MARKUP * why)
        assert marked.elements == plain.elements
        assert marked.text == plain.text.replace("NAME", MARKUP)
