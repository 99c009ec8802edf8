"""The choice among candidates: its loss by hand, and what is called elsewhere."""

import numpy as np
import pandas as pd
import pytest
from laboratory_samples import CLASSES, labels
from tissuestate.laboratories import choice
from tissuestate.laboratories.choice import call_left_out, judge, left_out_loss


def test_the_loss_is_that_of_tissue_or_none_and_of_the_tumour(monkeypatch):
    monkeypatch.setattr(choice, "fit_temperature", lambda *_: 0.5)
    monkeypatch.setattr(choice, "fit_line", lambda *_: (2.0, -1.0))
    obs = pd.DataFrame(
        {
            "laboratory": ["A", "B", "B", "B"],
            "tissue": ["kidney", "liver", "other", "liver"],
            "disease_state": ["neoplastic", "non-neoplastic", "", "neoplastic"],
        }
    )
    scores = {
        "tissue": np.array([[1, 0, 0], [0, 1, 0], [0, 0.5, 1], [1, 0, 0]], dtype=float),
        "tumour": np.array([[1.0], [-1.0], [9.0], [0.0]]),
    }
    right, none, wrong = (
        np.log(np.exp(2 * np.array(z)).sum()) for z in ([1, 0, 0], [0, 0.5, 1], [1, 0, 0])
    )
    tissue = (right - 2) / 2 + ((right - 2) + (none - 2) + (wrong - 0)) / 6
    odds = [2 * 1 - 1, -(2 * -1 - 1), 2 * 0 - 1]
    first, second, third = (np.log(1 + np.exp(-z)) for z in odds)
    tumour = first / 2 + (second + third) / 4  # the sample of no class does not count
    assert left_out_loss(scores, obs, CLASSES) == pytest.approx(tissue + tumour, rel=1e-12)


def test_the_better_of_two_candidates_has_the_lower_loss():
    obs = labels()
    rng = np.random.default_rng(0)
    truth = np.eye(3)[pd.Index(["kidney", "liver", "other"]).get_indexer(obs["tissue"])]
    tumour = np.where(obs["disease_state"] == "neoplastic", 1.0, -1.0)[:, None]
    noise = rng.normal(0, 1, truth.shape), rng.normal(0, 1, tumour.shape)
    losses = [
        left_out_loss(
            {
                "tissue": scale * (truth + share * noise[0]),
                "tumour": scale * (tumour + share * noise[1]),
            },
            obs,
            CLASSES,
        )
        for scale, share in ((1, 0.4), (5, 0.4), (1, 0.8))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.2), "the scale does not matter"
    assert losses[2] > 1.5 * max(losses[:2])


BATCHES = {"X": ["kirc"], "Y": ["kirp"]}  # of the training samples, with their subtypes
TOGETHER = {"X": ["kirc", "kirp"]}


def confounded(left_out: dict[str, str], batches: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Pairs not called if tumours of each laboratory are right (+), wrong (-) or unclear (?)."""
    rows = [(laboratory, call) for laboratory, calls in left_out.items() for call in calls]
    names = ["kirc", "kirp"]
    obs = pd.DataFrame({"laboratory": [name for name, _ in rows], "tissue": "kidney"})
    obs = obs.assign(
        disease_state="neoplastic", subtype=[names[row % 2] for row in range(len(rows))]
    )
    own = np.eye(2)[np.arange(len(rows)) % 2]
    sign = np.array([{"+": 1.0, "-": -1.0, "?": 0.0}[call] for _, call in rows])
    scores = {
        "tissue": np.tile([1.0, 0.0, 0.0], (len(rows), 1)),
        "tumour": np.ones((len(rows), 1)),
        "adjacent": np.zeros((len(rows), 1)),
        "subtype": (own - 0.5) * sign[:, None],
    }
    training = pd.DataFrame(
        [(batch, batch, "kidney", name) for batch, own in batches.items() for name in own],
        columns=["study", "source", "tissue", "subtype"],
    )
    return judge(scores, obs, CLASSES, training).confounded


PAIR = [("kirc", "kirp")]


def test_without_samples_left_out_a_batch_that_holds_both_subtypes_decides():
    assert confounded({"A": "+" * 9}, BATCHES) == PAIR
    assert confounded({"A": "-" * 9}, TOGETHER) == []
    assert confounded({"A": "+" * 9 + "?" * 9}, BATCHES) == PAIR, "what is unclear shows nothing"


def test_samples_left_out_decide_if_there_are_enough():
    assert confounded({"A": "+" * 5, "B": "+" * 5}, BATCHES) == []
    wrong = {"A": "+" * 90, "B": "+" * 6 + "-" * 4, "C": "+" * 90}
    assert confounded(wrong, TOGETHER) == PAIR, "each laboratory weighs the same"
    assert confounded({"A": "+" * 9 + "-", "B": "+" * 10 + "?" * 5}, BATCHES) == []
    assert judge_without_subtypes() == []


def judge_without_subtypes() -> list[tuple[str, str]]:
    obs = labels()
    codes = pd.Index(["kidney", "liver", "other"]).get_indexer(obs["tissue"])
    tumour = np.where(obs["disease_state"] == "neoplastic", 1.0, -1.0)[:, None]
    scores = {"tissue": np.eye(3)[codes], "tumour": tumour, "adjacent": tumour * 0}
    classes = {**CLASSES, "subtype": [], "subtypes_of": {}}
    return judge(scores, obs, classes, obs).confounded


def test_calls_of_a_laboratory_do_not_depend_on_its_own_labels():
    obs = labels()
    rng = np.random.default_rng(0)
    codes = pd.Index(["kidney", "liver", "other"]).get_indexer(obs["tissue"])
    scores = {
        "tissue": np.eye(3)[codes] + rng.normal(0, 0.3, (len(obs), 3)),
        "tumour": np.where(obs["disease_state"] == "neoplastic", 1.0, -1.0)[:, None]
        + rng.normal(0, 0.5, (len(obs), 1)),
        "adjacent": rng.normal(0, 1, (len(obs), 1)),
        "subtype": rng.normal(0, 1, (len(obs), 2)),
    }
    training = obs.assign(split="train")
    before = call_left_out(scores, obs, CLASSES, training)
    assert before.index.tolist() == obs.index.tolist()
    changed = obs.copy()
    own = (obs["laboratory"] == "B").to_numpy()
    for column in ("tissue", "disease_state", "subtype"):
        changed.loc[own, column] = obs.loc[own, column].to_numpy()[::-1]
    after = call_left_out(scores, changed, CLASSES, training)
    pd.testing.assert_frame_equal(after[own], before[own])
    assert not after[~own].equals(before[~own]), "the others are judged by it"


def test_a_sample_is_judged_if_another_laboratory_trains_its_tissue_in_its_state():
    obs = labels("ABC", each=2)
    only_a = (obs["tissue"] == "liver") & (obs["disease_state"] == "non-neoplastic")
    obs = obs[~only_a | (obs["laboratory"] == "A")]
    found = pd.Series(choice.is_supported(obs, obs[obs["tissue"] != "other"]), obs.index)
    alone = only_a.reindex(obs.index)
    assert not found[alone].any() and alone.any()
    assert found[~alone].all(), "samples of no class among them"
