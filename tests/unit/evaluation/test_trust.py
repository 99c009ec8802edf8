"""Coverage of sets, abstention and missing genes: by hand, and on simulated predictions."""

import numpy as np
import pandas as pd
import pytest
from tissuestate.evaluation.abstention import (
    NEW,
    Limits,
    abstention_reasons,
    call_tumours,
    undecided,
)
from tissuestate.evaluation.missing_genes import gene_masks, least_genes, missing_gene_curve
from tissuestate.evaluation.predictions import tabulate_predictions
from tissuestate.evaluation.sets import ConformalSets, fit_sets
from tissuestate.evaluation.support import with_rivals
from tissuestate.evaluation.trust import abstention_curve, set_coverage
from tissuestate.report.figures import trust as figure_trust
from tissuestate.report.figures.style import save

CLASSES = {
    "disease_state": ["non-neoplastic", "neoplastic"],
    "tissue": ["kidney", "liver", "lung"],
    "subtype": ["kirc", "kirp", "luad"],
    "subtypes_of": {"kidney": ["kirc", "kirp"], "lung": ["luad"]},
}


@pytest.mark.parametrize(
    ("shares", "facts"),
    [
        ([0.9, 0.1, 0.0], []),
        ([0.61, 0.39, 0.0], []),
        ([0.59, 0.41, 0.0], ["not clearly more likely", "kidney", "liver", "59%", "41%"]),
        ([0.2, 0.4, 0.4], ["not clearly more likely", "liver", "lung", "40%"]),
        ([0.48, 0.26, 0.26], ["50%", "tissue of origin", "kidney", "48%"]),
        ([np.nan] * 3, []),
    ],
)
def test_a_call_must_be_clearly_more_probable_than_the_second(shares, facts):
    (reason,) = undecided(np.array([shares]), CLASSES["tissue"], "tissue")
    assert bool(reason) == bool(facts)
    assert [fact for fact in facts if fact not in reason] == []


@pytest.mark.parametrize(
    ("head", "name"),
    [("disease_state", "disease state"), ("tissue", "tissue of origin"), ("subtype", "subtype")],
)
def test_a_reason_names_the_question(head, name):
    (reason,) = undecided(np.array([[0.48, 0.26, 0.26]]), ["a", "b", "c"], head)
    assert name in reason and "48%" in reason


def test_new_samples_have_no_answer_and_subtypes_need_one_for_the_tissue():
    shares = {
        "disease_state": np.array([[0, 1]] * 4),
        "tissue": np.array([[0.9, 0.1, 0], [0.5, 0.5, 0], [0.9, 0.1, 0], [0, 1, 0]]),
        "subtype": np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [np.nan] * 3]),
    }
    found = abstention_reasons(shares, CLASSES, np.array([False, False, True, False]), {})
    assert found["tissue"][0] == "" and "not clearly" in found["tissue"][1]
    assert found["subtype"] == ["", "the tissue is uncertain", NEW, ""]
    assert found["tissue"][2] == NEW


def test_a_sample_called_no_tumour_has_no_subtype():
    shares = {
        "disease_state": np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5], [0.9, 0.1]]),
        "tissue": np.array([[1, 0, 0]] * 3 + [[0.5, 0.5, 0]]),
        "subtype": np.array([[1, 0, 0]] * 4),
    }
    reasons = abstention_reasons(shares, CLASSES, np.zeros(4, bool), {})["subtype"]
    assert ["no tumour" in reason for reason in reasons] == [True, False, False, True]
    assert reasons[1:3] == ["", ""]


STATES = {"disease_state": ["non-neoplastic", "peri-neoplastic", "neoplastic"], "tissue": ["a"]}
EITHER = "healthy and adjacent tissue cannot be told apart"


@pytest.mark.parametrize(
    ("states", "limits", "tumour", "facts"),
    [
        ([0.1, 0.2, 0.7], {}, "yes", []),
        ([0.7, 0.1, 0.2], {}, "no", []),
        ([0.52, 0.46, 0.02], {}, "no", ["no tumour (98%)", EITHER, "52% and 46%"]),
        ([0.45, 0.1, 0.45], {}, "", ["tumour 45%", "no tumour 55%"]),
        ([0.3, 0.2, 0.5], {}, "", ["tumour 50%"]),  # once called: more than either of the others
        ([0.45, 0.2, 0.35], {}, "no", ["50%", "non-neoplastic (45%)"]),
        ([0.7, 0.1, 0.2], {"tumour": [0.1, 0.9]}, "", ["tumour 20%"]),
        ([0.45, 0.1, 0.45], {"tumour": [0.48, 0.52]}, "no", ["50%"]),
        ([0.7, 0.1, 0.2], {"adjacent": None}, "no", ["no tumour (80%)", EITHER]),
        ([0.1, 0.1, 0.8], {"adjacent": None}, "yes", []),
        ([0.52, 0.46, 0.02], {"adjacent": [0.49, 0.51]}, "no", []),
        ([0.25, 0.25, 0.5], {"tumour": [0.5, 0.5]}, "yes", []),
    ],
)
def test_tumour_or_not_is_answered_before_the_state(states, limits, tumour, facts):
    shares = {"disease_state": np.array([states]), "tissue": np.ones((1, 1))}
    chosen = Limits.from_dict(limits)
    found = abstention_reasons(shares, STATES, np.array([False]), {}, limits=chosen)
    answers = call_tumours(shares["disease_state"][:, 2], found["tumour"], chosen)
    assert answers.tolist() == [tumour]
    (reason,) = found["disease_state"]
    assert bool(reason) == bool(facts)
    assert [fact for fact in facts if fact not in reason] == []
    new = abstention_reasons(shares, STATES, np.array([True]), {}, limits=chosen)
    assert new == {"tumour": [NEW], "disease_state": [NEW], "tissue": [NEW]}


def test_a_model_without_adjacent_tissue_need_not_tell_it_apart():
    shares = {"disease_state": np.array([[0.9, 0.1]]), "tissue": np.array([[1.0, 0, 0]])}
    limits = Limits(adjacent=None)
    found = abstention_reasons(shares, CLASSES, np.array([False]), {}, limits=limits)
    assert found["disease_state"] == [""]


def test_limits_that_would_call_the_less_likely_answer_are_refused():
    with pytest.raises(ValueError, match="one half"):
        Limits.from_dict({"tumour": [0.1, 0.3]})
    with pytest.raises(TypeError, match="healthy"):
        Limits.from_dict({"healthy": [0.1, 0.9]})


def test_no_call_is_made_between_subtypes_that_no_batch_held_together():
    confounded = [("kirc", "kirp")]
    shares = {
        "disease_state": np.array([[0.0, 1.0]] * 2),
        "tissue": np.array([[1.0, 0, 0], [0, 0, 1.0]]),
        "subtype": np.array([[1.0, 0, 0], [0, 0, 1.0]]),
    }
    found = abstention_reasons(shares, CLASSES, np.zeros(2, bool), {}, confounded)
    assert found["subtype"][0].startswith("kirc is not reliably told from kirp: ")
    assert "kirp" in found["subtype"][0]
    assert found["subtype"][1] == "", "the tissue's only subtype"
    sets = with_rivals(shares["subtype"] > 0, CLASSES["subtype"], confounded)
    assert sets.tolist() == [[True, True, False], [False, False, True]]


def predictions(n: int = 400, seed: int = 0) -> tuple[pd.DataFrame, ConformalSets]:
    """Calibrated predictions of simulated samples, three a donor, and the sets they give."""
    rng = np.random.default_rng(seed)
    obs = pd.DataFrame(index=[f"s{i}" for i in range(n)])
    obs["donor"] = [f"d{i // 3}" for i in range(n)]
    obs["split"] = np.where(np.arange(n) // 3 % 2 == 0, "validation", "test")
    probabilities = {}
    for head in ("disease_state", "tissue", "subtype"):
        scores = rng.dirichlet(np.full(len(CLASSES[head]), 0.3), n)
        codes = (rng.random((n, 1)) > scores.cumsum(axis=1)).sum(axis=1)
        obs[head] = np.asarray(CLASSES[head])[codes.clip(max=len(CLASSES[head]) - 1)]
        probabilities[head] = scores
    own = obs["tissue"].map({"kidney": ["kirc", "kirp"], "lung": ["luad"]})
    obs["subtype"] = [
        s if o == o and s in o else "" for s, o in zip(obs["subtype"], own, strict=True)
    ]
    return tabulate_predictions(obs, probabilities, CLASSES), fit_sets(obs, probabilities, CLASSES)


@pytest.fixture(scope="module")
def simulated():
    return predictions(3000)


def test_coverage_is_that_of_a_hand_count_and_near_the_level(simulated):
    table, sets = simulated
    found = set_coverage(table, CLASSES, sets, resamples=200)
    whole = found[found["tissue"] == ""].set_index("head")
    for head in ("disease_state", "tissue"):
        assert 0.87 < whole.at[head, "coverage"] < 0.93
    assert whole.at["subtype", "coverage"] < 0.8  # a wrong tissue cannot be made good
    test = table[table["split"] == "test"]
    liver = test[test["tissue_true"] == "liver"]
    shares = liver[[f"tissue:{name}" for name in CLASSES["tissue"]]].to_numpy()
    by_hand = (shares[:, 1] >= sets.thresholds_["tissue"]).mean()
    row = found[(found["head"] == "tissue") & (found["tissue"] == "liver")].iloc[0]
    assert row["coverage"] == pytest.approx(by_hand)
    assert row["low"] <= by_hand <= row["high"]
    assert row["samples"] == len(liver)


def test_accuracy_rises_as_fewer_are_answered_and_ends_at_that_of_all(simulated):
    table, _ = simulated
    found = abstention_curve(table, CLASSES, np.zeros(len(table), dtype=bool), {})
    test = table[table["split"] == "test"]
    curve = found[(found["head"] == "tissue") & (found["rule"] == "confidence")]
    assert curve["share"].iloc[-1] == 1
    assert curve["accuracy"].iloc[-1] == pytest.approx(
        (test["tissue_call"] == test["tissue_true"]).mean()
    )
    first = curve[curve["share"] <= 0.3]["accuracy"].iloc[-1]
    assert first > curve["accuracy"].iloc[-1] + 0.1
    rule = found[(found["head"] == "tissue") & (found["rule"] == "abstention")].iloc[0]
    shares = np.sort(test[[f"tissue:{n}" for n in CLASSES["tissue"]]].to_numpy(), axis=1)
    passes = (shares[:, -1] >= 0.5) & (shares[:, -1] >= 1.5 * shares[:, -2])
    assert rule["share"] == pytest.approx(passes.mean())
    tumour = found[found["head"] == "tumour"]
    assert tumour[tumour["rule"] == "confidence"]["accuracy"].iloc[-1] == pytest.approx(
        (test["disease_state_call"] == test["disease_state_true"]).mean()
    ), "of two states"
    none = abstention_curve(table, CLASSES, np.ones(len(table), dtype=bool), {})
    assert (none.loc[none["rule"] == "abstention", "share"] == 0).all()


def linear(values):
    """A head that needs gene 0 and another that needs all genes."""
    first = np.nan_to_num(values[:, 0], nan=0.5)
    mean = np.nan_to_num(values).sum(axis=1) / values.shape[1]
    return (
        {
            "disease_state": np.column_stack([1 - first, first]),
            "tissue": np.column_stack([1 - mean, mean, 0 * mean]),
        },
        np.isnan(values).mean(axis=1) > 0.5,
    )


def test_the_curve_is_the_loss_by_removed_genes():
    n, genes = 200, 50
    codes = np.arange(n) % 2
    values = np.repeat(codes[:, None], genes, axis=1).astype(float)
    split = np.where(np.arange(n) < 100, "validation", "test")
    labels = {"disease_state": codes, "tissue": codes}
    expression = np.arange(genes)[None] + np.zeros((3, 1))  # gene 0 is the faintest
    sets = gene_masks(expression, seed=0, shares=(0.0, 0.2, 0.4, 0.8), draws=2)
    assert [mask.sum() for _, share, mask in sets if share == 0.4] == [20, 20, 20]
    curve = missing_gene_curve(values, labels, split, CLASSES, linear, sets)
    at = curve.set_index(["split", "kind", "missing", "head"])
    assert at.loc[("test", "none", 0.0, "tissue"), "loss"] == 0
    # without gene 0 the state is a toss: always the first class
    assert at.loc[("test", "faint", 0.2, "disease_state"), "accuracy"] == 0.5
    assert at.loc[("test", "faint", 0.2, "disease_state"), "loss"] == 0.5
    # the tissue is called right while half of the genes are there
    assert at.loc[("test", "faint", 0.4, "tissue"), "loss"] == 0
    assert at.loc[("test", "random", 0.8, "tissue"), "loss"] == 0.5
    assert at.loc[("test", "random", 0.8, "tissue"), "new"] == 1
    assert not np.isnan(values).any()  # the samples given are left as they were
    assert least_genes(curve) == 1
    assert least_genes(curve[curve["head"] == "tissue"]) == pytest.approx(0.6)


def test_shares_beyond_a_failing_one_do_not_count():
    curve = pd.DataFrame(
        {"split": "validation", "missing": [0.0, 0.2, 0.4, 0.6], "loss": [0, 0.01, 0.2, 0.0]}
    )
    assert least_genes(curve) == pytest.approx(0.8)


@pytest.mark.slow
def test_the_figures_are_drawn_and_say_what_the_tables_say(simulated, tmp_path):
    table, sets = simulated
    coverage = set_coverage(table, CLASSES, sets, resamples=50)
    scores = pd.DataFrame({"split": ["validation", "test"] * 50, "score": np.linspace(0, 2, 100)})
    rows = [
        (part, kind, share, head, 1 - share / 2, 0.0, share / 2, 50)
        for part in ("validation", "test")
        for kind, share in (("none", 0.0), ("random", 0.2), ("faint", 0.2))
        for head in CLASSES
        if head != "subtypes_of"
    ]
    columns = ["split", "kind", "missing", "head", "accuracy", "new", "loss", "n"]
    figures = [
        figure_trust.set_coverage(coverage, {}),
        figure_trust.wrong_answers(
            abstention_curve(table, CLASSES, np.zeros(len(table), bool), {})
        ),
        figure_trust.novelty_scores(scores),
        figure_trust.missing_genes(pd.DataFrame(rows, columns=columns)),
    ]
    for number, figure in enumerate(figures):
        save(figure, tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").read_bytes().startswith(b"\x89PNG")
    titles = [axes.get_title(loc="left") for axes in figures[0].axes]
    whole = coverage[(coverage["head"] == "tissue") & (coverage["tissue"] == "")].iloc[0]
    assert f"Tissue of origin: {whole['size']:.2f} classes per set" in titles
    titles = [axes.get_title(loc="left") for axes in figures[2].axes]
    assert "Test samples: 25 of 50 beyond the limit" in titles
