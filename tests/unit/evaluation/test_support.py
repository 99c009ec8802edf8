"""What training lacked: states that are not called, and warnings."""

import numpy as np
import pandas as pd
import pytest
from tissuestate.cohort.composition import contrasts, states_of_tissue
from tissuestate.evaluation.abstention import abstention_reasons
from tissuestate.evaluation.support import (
    confounded_subtypes,
    gap_sentence,
    missing_states,
    rivals,
    training_doubts,
    unseen_states,
)

STATES = ["non-neoplastic", "peri-neoplastic", "neoplastic"]
SEEN = {
    "thyroid": {"non-neoplastic": 4, "peri-neoplastic": 4, "neoplastic": 0},
    "colon": {"non-neoplastic": 0, "peri-neoplastic": 9, "neoplastic": 9},
    "brain": {"non-neoplastic": 9, "peri-neoplastic": 0, "neoplastic": 9},
    "cervix": {"non-neoplastic": 0, "peri-neoplastic": 0, "neoplastic": 5},
    "kidney": {"non-neoplastic": 9, "peri-neoplastic": 9, "neoplastic": 9},
}
CLASSES = {
    "disease_state": STATES,
    "tissue": list(SEEN),
    "subtype": ["coad", "read", "kirc", "kirp"],
    "subtypes_of": {"colon": ["coad", "read"], "kidney": ["kirc", "kirp"]},
}


@pytest.mark.parametrize(
    ("tissue", "state", "is_called", "is_tumour_answered"),
    [
        ("kidney", "non-neoplastic", True, True),
        ("kidney", "neoplastic", True, True),
        ("thyroid", "peri-neoplastic", False, False),
        ("thyroid", "non-neoplastic", False, False),
        ("thyroid", "neoplastic", False, False),
        ("colon", "neoplastic", True, True),
        ("colon", "peri-neoplastic", True, True),
        ("colon", "non-neoplastic", False, True),
        ("brain", "peri-neoplastic", False, True),
        ("brain", "non-neoplastic", True, True),
        ("cervix", "neoplastic", False, False),
    ],
)
def test_a_state_must_have_been_in_training_with_the_tissue(
    tissue, state, is_called, is_tumour_answered
):
    shares = {
        "disease_state": np.where(np.array(STATES) == state, 0.9, 0.05)[None],
        "tissue": np.where(np.array(CLASSES["tissue"]) == tissue, 0.96, 0.01)[None],
    }
    ((likeliest, missing),) = unseen_states(shares, CLASSES, SEEN)
    assert likeliest == tissue
    assert (missing == []) == is_called
    reason = gap_sentence(tissue, missing) if missing else ""
    found = abstention_reasons(shares, CLASSES, np.array([False]), SEEN)
    tumour = "" if is_tumour_answered else reason
    assert found == {"tumour": [tumour], "disease_state": [reason], "tissue": [""]}
    assert abstention_reasons(shares, CLASSES, np.array([False]), {})["disease_state"] == [""]


def test_a_missing_tumour_counts_even_if_the_model_knows_none():
    healthy, tumours = STATES[:2], STATES[2:]
    assert missing_states("a", healthy, {"a": dict.fromkeys(healthy, 5)}) == tumours
    assert missing_states("a", tumours, {"a": {"neoplastic": 5}}) == healthy
    two = ["non-neoplastic", "neoplastic"]
    assert missing_states("a", two, {"a": dict.fromkeys(two, 5)}) == []
    assert missing_states("a", STATES, {}) == []


def test_the_table_of_tissue_by_state_counts_training_samples():
    kept = pd.DataFrame(
        {
            "split": ["train", "train", "test", "train"],
            "tissue": ["NA", "NA", "NA", "1"],
            "disease_state": ["neoplastic", "neoplastic", "non-neoplastic", "non-neoplastic"],
        }
    )
    assert states_of_tissue(kept) == {
        "1": {"non-neoplastic": 1, "neoplastic": 0},
        "NA": {"non-neoplastic": 0, "neoplastic": 2},
    }


def test_subtypes_of_one_source_alone_are_confounded_until_released():
    kept = pd.DataFrame(
        {
            "study": ["TCGA"] * 4,
            "source": ["one", "two", "one", "one"],
            "tissue": ["colon", "colon", "kidney", "kidney"],
            "disease_state": "neoplastic",
            "subtype": ["coad", "read", "kirc", "kirp"],
        }
    )
    description = {
        "classes": CLASSES,
        "subtypes_of": {**CLASSES["subtypes_of"], "uterus": ["ucs"]},
        "data": {
            "contrasts": contrasts(kept, "subtype").to_dict("records"),
            "states_of_tissue": {},
        },
    }
    none = {"disease_state": "neoplastic", "disease_state_abstained": ""}
    assert confounded_subtypes(description) == [("coad", "read")]
    assert rivals("read", [("coad", "read")]) == ["coad"]
    assert confounded_subtypes({**description, "confounded_subtypes": []}) == []
    assert training_doubts({**none, "subtype": "kirc"}, "kidney", description) == []
    assert training_doubts({**none, "subtype": ""}, "colon", description) == []
    assert training_doubts(none, "colon", description) == []
    (doubt,) = training_doubts({**none, "subtype": "ucs"}, "uterus", description)
    assert "the only subtype of uterus" in doubt
    del description["data"]["states_of_tissue"]
    (doubt,) = training_doubts({**none, "subtype": "kirc"}, "kidney", description)
    assert "an earlier release made the bundle" in doubt
