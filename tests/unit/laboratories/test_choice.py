"""The choice among candidates: its loss by hand, and subtypes that hold elsewhere."""

import numpy as np
import pandas as pd
import pytest
from laboratory_samples import CLASSES, labels
from tissuestate.laboratories import choice
from tissuestate.laboratories.choice import left_out_loss, released_subtypes

PAIR = [("kirc", "kirp")]


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


def released(right: dict[str, list[bool]]) -> list[tuple[str, str]]:
    """The pairs released if the tumours of each laboratory are called so."""
    rows = [(name, ok) for name, calls in right.items() for ok in calls]
    obs = pd.DataFrame({"laboratory": [name for name, _ in rows], "subtype": "kirc"})
    shares = np.array([[0.8, 0.2] if ok else [0.2, 0.8] for _, ok in rows])
    return released_subtypes({"subtype": shares}, obs, CLASSES, PAIR)


def test_subtypes_are_released_if_two_laboratories_show_that_they_hold():
    assert released({"A": [True] * 5, "B": [True] * 9 + [False]}) == PAIR
    assert released({"A": [True] * 50}) == [], "one laboratory"
    assert released({"A": [True] * 50, "B": [True] * 4}) == [], "the second has too few samples"
    bad = {"A": [True] * 50, "B": [True] * 50, "C": [True] * 4 + [False]}
    assert released(bad) == [], "one that is often wrong forbids"
    assert released({"A": [True] * 5, "B": [True] * 5, "C": [False] * 4}) == PAIR


def test_a_sample_of_another_tissue_has_no_subtype_right():
    obs = pd.DataFrame({"laboratory": list("AAAAABBBBB"), "subtype": "kirc"})
    shares = np.full((10, 2), np.nan)  # in tandem: the tissue that was called has none
    assert released_subtypes({"subtype": shares}, obs, CLASSES, PAIR) == []
    assert released_subtypes({}, obs, {**CLASSES, "subtype": []}, []) == []
