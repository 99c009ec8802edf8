"""Facts and text of a sample's page and of the index; names never become markup."""

import numpy as np
import pandas as pd
import pytest
from reading import MARKUP, Page
from tissuestate.classification.page import BINS, GENES, Background, index_facts, sample_facts
from tissuestate.report.render import render

SHARES = {
    "disease_state": {"neoplastic": 0.996, "non-neoplastic": 0.004},
    "tissue": {"kidney": 0.6, "liver": 0.396, "lung": 0.002, "thyroid": 0.002},
    "subtype": {"kirc": 0.9, "kirp": 0.1},
}
NAMES = {"kirc": "clear cell carcinoma (KIRC)"}
RECORD = {
    **dict.fromkeys(("outside", "outside_answered", "outside_right"), 0),
    "train": 62,
    "laboratories": 2,
    "test": 8,
    "test_right": 6,
    "called": 7,
    "called_right": 6,
}
DEGRADED = "The RNA looks degraded."
NO_TUMOUR = {"call": "no", "probability": 0.02, "abstained": ""}


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
        "warnings": [],
        "doubts": {},
        "notes": [],
        "recognition": "all genes found",
        "unit": "count",
        "sex_expressed": "XX",
        "mrin": -0.05,
        "novelty": 0.4,
        "nearest": [
            {"tissue": "kidney", "state": "neoplastic", "distance": 0.4},
            {"tissue": "lung", "state": "neoplastic", "distance": 1.7},
        ],
        **others,
    }


def unanswered(why: str, **others) -> dict:
    """A sample without any answer."""
    tumour = {"call": "", "probability": 0.996, "abstained": why}
    changes = {head: {"call": "", "abstained": why} for head in SHARES}
    return record(changes, tumour=tumour, **others)


REFUSED = record(refused="too few genes.", tumour=None, heads={}, nearest=[], novelty=None)
DEGRADED_SAMPLE = record(warnings=[DEGRADED], doubts={"degraded RNA": DEGRADED})
NEW_SAMPLE = unanswered("the sample is not like anything", novelty=1.8)


def background(mrin: tuple[float, ...] = (-0.2, -0.1, 0.0, 0.1), **changes) -> Background:
    contrasts = [
        {"head": "tissue", "first": "kidney", "second": "liver", "studies": ""},
        {"head": "disease_state", "first": "neoplastic", "second": "non-neoplastic", "studies": ""},
        {"head": "subtype", "first": "kirc", "second": "kirp", "studies": "TCGA"},
    ]
    page = {"simulated": False, "names": NAMES}
    known = {"subtype": {"kirc": RECORD}}
    return Background(np.array(mrin), contrasts, known, page=page, **changes)


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
            "range_low": 4.0,
            "range_high": 8.0,
            "difference": 7.0,
        }
    )


def page_of(*given) -> Page:
    return Page(render("sample.html.j2", sample_facts(*given)))


def test_the_verdict_names_the_class_and_the_least_sure_part():
    facts = sample_facts(record(), background())
    assert facts["verdict"]["subtype"] == "kirc" and facts["verdict"]["state"] == "neoplastic"
    assert facts["confidence"] == 0.6 and facts["level"] == "low"
    text = page_of(record(), background()).text
    assert "Clear cell carcinoma (KIRC) A tumour of the kidney." in text
    assert "Low confidence : 60 % for the least sure answer." in text
    assert "62 training samples of 2 laboratories. Test samples: 6 of 8 right." in text
    why = "no tumour (98%), but healthy and adjacent tissue cannot be told apart (52% and 46%)"
    changes = {"disease_state": {"call": "", "abstained": why}, "subtype": {"call": ""}}
    healthy = sample_facts(record(changes, tumour=NO_TUMOUR), background())
    assert healthy["verdict"]["state"] == "no tumour" and healthy["confidence"] == 0.6
    text = page_of(record(changes, tumour=NO_TUMOUR), background()).text
    assert "Kidney, no tumour Healthy, or normal tissue beside a tumour" in text
    assert "not applicable: no tumour" in text


def test_without_an_answer_the_page_has_no_result():
    for given in (unanswered("too even"), NEW_SAMPLE):
        facts = sample_facts(given, background())
        assert facts["confidence"] is None and facts["level"] is None
        text = page_of(given, background()).text
        before, after = text.split("Closest classes, not a call")
        assert "No answer" in before and "%" not in before
        assert "How the model ranks the classes. This is not a result." in after
    assert "not like anything the model was trained on" in page_of(NEW_SAMPLE, background()).text
    assert "too even" in page_of(unanswered("too even"), background()).text


def test_a_doubtful_sample_is_called_doubtful_wherever_it_was_called_sure():
    page = page_of(DEGRADED_SAMPLE, background())
    before, _ = page.text.split("All classes")
    assert "Doubtful : degraded RNA." in before and DEGRADED in before
    assert before.count("doubtful") == 3, "each of its answers"
    assert "high" not in before and "%" not in before


def test_notes_are_folded_and_cautions_stand_at_the_call():
    given = record(warnings=["Only one subtype.", "The unit was inferred."])
    given["notes"] = ["The unit was inferred."]
    text = page_of(given, background()).text
    assert text.index("Only one subtype.") < text.index("Question")
    assert text.index("The unit was inferred.") > text.index("Input and RNA integrity")


def test_a_state_that_may_be_a_study_is_a_caution_of_that_state_alone():
    assert sample_facts(record(), background())["confounded"] == ["non-neoplastic"]
    apart = {"head": "disease_state", "first": "neoplastic", "second": "peri-neoplastic"}
    both = [*background().contrasts, {**apart, "studies": "TCGA"}]
    assert sample_facts(record(), Background(contrasts=both))["confounded"] == []
    healthy = record({"disease_state": {"call": "non-neoplastic"}}, tumour=NO_TUMOUR)
    assert sample_facts(healthy, Background(contrasts=both))["confounded"] == ["neoplastic"]
    assert "where they were made" in page_of(healthy, background()).text


def test_a_class_that_did_badly_elsewhere_is_no_high_confidence():
    shares = {"tissue": {"probability": 0.97}, "subtype": {"probability": 0.98}}
    facts = sample_facts(record(shares), background())
    assert facts["level"] == "high" and facts["weak"] == []
    never = {**RECORD, "outside": 14}
    often = {**RECORD, "outside": 40, "outside_answered": 30, "outside_called": 20}
    for found, said in (
        (never, "never called in laboratories left out (14 such samples got no answer)"),
        ({**often, "outside_called_right": 18}, "of 20 such calls in laboratories left out, 2"),
    ):
        changed = Background(record={"subtype": {"kirc": found}})
        facts = sample_facts(record(shares), changed)
        assert facts["level"] == "moderate" and facts["confidence"] == 0.97
        assert said in page_of(record(shares), changed).text
    fine = Background(record={"subtype": {"kirc": {**often, "outside_called_right": 19}}})
    assert sample_facts(record(shares), fine)["weak"] == []


def test_a_sample_between_two_tissues_may_be_a_mixture():
    even = record({"tissue": {"call": "", "abstained": "even"}, "subtype": {"call": ""}})
    assert sample_facts(even, background())["mixed"] == ["kidney", "liver"]
    text = page_of(even, background()).text
    assert "Between kidney and liver, as a mixture is" in text
    assert "Only whether it is a tumour is answered (high confidence, over 99 %)" in text
    assert index_facts([even], background())["reasons"] == ["two tissues"]
    assert sample_facts({**even, "novelty": 2.0}, background())["mixed"] == []
    shares = {"kidney": 0.6, "liver": 0.19, "lung": 0.18, "thyroid": 0.03}
    even["heads"]["tissue"]["probabilities"] = shares
    assert sample_facts(even, background())["mixed"] == []


def test_classes_of_little_probability_are_counted_not_shown():
    heads = {row["head"]: row for row in sample_facts(record(), background())["heads"]}
    assert list(heads) == list(SHARES)
    assert heads["tissue"]["shown"] == {"kidney": 0.6, "liver": 0.396}
    assert [row["hidden"] for row in heads.values()] == [1, 2, 0]
    text = page_of(record(), background()).text
    assert "over 99 %" in text and "100 %" not in text, "no rounded certainty"


def test_the_genes_that_weigh_most_are_sorted_with_their_sum():
    (tissue,) = sample_facts(record(), background(), genes())["drivers"]
    assert len(tissue["genes"]) == GENES
    weights = [gene["contribution"] for gene in tissue["genes"]]
    assert weights == sorted([-3.0, 2.5, 2.0, -1.5, 1.0, 0.5, 0.4, 0.3], reverse=True)
    assert [gene["is_usual"] for gene in tissue["genes"]] == [True] * 7 + [False]
    assert tissue["largest"] == 3.0 and tissue["highest"] == 8.0
    assert tissue["together"] == pytest.approx(2.2)
    assert tissue["whole"] == 7.0
    assert sample_facts(record(), background())["is_explained"] is False
    assert sample_facts(record(), background(), genes().iloc[:0])["is_explained"] is False
    unknown = genes().assign(range_low=np.nan, range_high=np.nan)
    assert not sample_facts(record(), background(), unknown)["drivers"][0]["has_ranges"]


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


def test_a_page_says_on_how_many_transcripts_mrin_was_measured_or_was_not():
    reads = {"reads": 9e6, "aligned": 0.9, "assigned": 0.8}
    measured = page_of(record(mrin=0.01, mrin_transcripts=1234.0, **reads), background())
    assert "measured on 1,234 transcripts" in measured.text
    few = page_of(record(mrin=None, mrin_transcripts=12.0, **reads), background())
    assert "not measured: the reads cover 12 of the transcripts" in few.text


@pytest.mark.parametrize(
    "given",
    [
        record(mrin=None),
        record(mrin=None, reads=9e6, aligned=0.9, assigned=None),
        record({"tissue": {"call": "", "abstained": "too even", "set": []}}),
        record(tumour={"call": "", "probability": 0.5, "abstained": "uncertain"}),
        record(nearest=[]),
        record(input=[{"file": "a.fq", "sha256": None}]),
        DEGRADED_SAMPLE,
        NEW_SAMPLE,
        REFUSED,
    ],
    ids=["mRIN", "reads", "tissue", "tumour", "old", "file", "degraded", "new", "refused"],
)
def test_every_kind_of_result_has_a_page(given):
    page = page_of(given, background(mrin=()))
    assert given["refused"] in page.text
    shown = [answer["abstained"] for answer in given["heads"].values() if given["novelty"] < 1]
    shown += [given["tumour"]["abstained"]] if given["tumour"] and given["novelty"] < 1 else []
    for text in (*given["warnings"], *shown, *(part["file"] for part in given.get("input", ()))):
        assert text in page.text


def test_the_index_has_a_row_for_each_sample_and_the_doubtful_first():
    given = [record(), {**DEGRADED_SAMPLE, "sample": "new2"}, {**REFUSED, "sample": "new3"}]
    facts = index_facts([*given, {**NEW_SAMPLE, "sample": "new4"}], background())
    reasons = {row["sample"]: row["reasons"] for row in facts["rows"]}
    assert list(reasons) == ["new3", "new4", "new2", "new1"]
    assert reasons["new2"] == ["degraded RNA"] and reasons["new3"] == ["refused"]
    assert reasons["new4"] == ["unlike training"] and reasons["new1"] == []
    assert facts["with_reason"] == 3 and facts["tissues"] == ["kidney"]
    text = Page(render("index.html.j2", facts)).text
    assert "new1 Clear cell carcinoma (KIRC) kidney neoplastic low, 60 %" in text
    assert "3 of 4 need a look" in text


def test_no_name_becomes_markup():
    def page(name: str, why: str) -> list[Page]:
        changes = {
            "tissue": {"call": name, "set": [name], "probabilities": {name: 0.9}},
            "subtype": {"call": "", "abstained": name},
        }
        given = record(changes, sample=name, refused=why, recognition=name)
        given |= {"unit": name, "input": [{"file": name, "sha256": name}], "notes": [name]}
        given |= {"warnings": [name, f"{name}."], "doubts": {name: f"{name}."}}
        given |= {"nearest": [{"tissue": name, "state": name, "distance": 1.0}]}
        given |= {"bundle": {"name": name, "fingerprint": name}}
        index = render("index.html.j2", index_facts([given], background()))
        return [page_of(given, background(), genes(name)), Page(index)]

    for why in (False, True):
        for plain, marked in zip(
            page("NAME", "NAME" * why), page(MARKUP, MARKUP * why), strict=True
        ):
            assert marked.elements == plain.elements
            assert marked.text == plain.text.replace("NAME", MARKUP)
