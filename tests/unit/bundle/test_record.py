"""The record of each class against counts made by hand."""

import pandas as pd
from tissuestate.bundle.record import OUTSIDE, class_record

CLASSES = {
    "disease_state": ["non-neoplastic", "neoplastic"],
    "tissue": ["kidney", "liver"],
    "subtype": [],
    "subtypes_of": {},
}
SAMPLES = pd.DataFrame(
    {
        "disease_state": ["neoplastic", "neoplastic", "non-neoplastic", "neoplastic"],
        "tissue": ["kidney", "kidney", "liver", "kidney"],
        "subtype": "",
        "laboratory": ["a", "b", "a", "c"],
        "split": ["train", "train", "train", "test"],
    }
)
CONFUSION = pd.DataFrame(
    [
        ("disease_state", "non-neoplastic", "non-neoplastic", 4),
        ("disease_state", "non-neoplastic", "neoplastic", 1),
        ("disease_state", "neoplastic", "neoplastic", 7),
        ("tissue", "kidney", "kidney", 6),
        ("tissue", "kidney", "liver", 2),
        ("tissue", "liver", "liver", 3),
    ],
    columns=["head", "true", "called", "count"],
)
NOT_LEFT_OUT = dict.fromkeys(OUTSIDE, 0)


def test_the_record_counts_training_test_and_calls():
    found = class_record(SAMPLES, CONFUSION, CLASSES)
    assert found["tissue"]["kidney"] == {
        "train": 2,
        "laboratories": 2,
        "test": 8,
        "test_right": 6,
        "called": 6,
        "called_right": 6,
        **NOT_LEFT_OUT,
    }
    liver = {"train": 1, "laboratories": 1, "test": 3, "test_right": 3, "called": 5}
    assert found["tissue"]["liver"] == {**liver, "called_right": 3, **NOT_LEFT_OUT}
    yes = {"train": 2, "laboratories": 2, "test": 7, "test_right": 7, "called": 8}
    assert found["tumour"]["yes"] == {**yes, "called_right": 7, **NOT_LEFT_OUT}
    assert list(found) == ["tumour", "disease_state", "tissue"]


def test_the_record_counts_calls_of_laboratories_left_out():
    columns = {
        "disease_state_true": ["neoplastic", "neoplastic", "non-neoplastic"],
        "tissue_true": ["kidney", "kidney", "liver"],
        "subtype_true": "",
        "refused": "",
        "tumour": ["yes", "", "yes"],
        "disease_state": ["neoplastic", "", "neoplastic"],
        "disease_state:non-neoplastic": [0.1, 0.4, 0.2],
        "disease_state:neoplastic": [0.9, 0.6, 0.8],
        "tissue": ["kidney", "liver", ""],
        "tissue:kidney": [0.8, 0.3, 0.5],
        "tissue:liver": [0.2, 0.7, 0.5],
    }
    found = class_record(SAMPLES, CONFUSION, CLASSES, pd.DataFrame(columns))

    def outside(question: str, name: str) -> list[int]:
        return [found[question][name][key] for key in NOT_LEFT_OUT]

    assert outside("tissue", "kidney") == [2, 2, 1, 1, 1]
    assert outside("tissue", "liver") == [1, 0, 0, 1, 0]
    assert outside("tumour", "yes") == [2, 1, 1, 2, 1]
    assert outside("tumour", "no") == [1, 1, 0, 0, 0]
