"""The split: shares, strata, donors, small classes."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from tissuestate.cohort.split import SPLITS, split_samples
from tissuestate.errors import InputError
from tissuestate.labels import HEADS
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.sheet import read_sheet


def cohort(rows: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    """Samples from (donor, disease_state, tissue, subtype)."""
    frame = pd.DataFrame(rows, columns=["donor", *HEADS])
    return frame.assign(sample=[f"s{i}" for i in range(len(frame))])


def large_cohort(size: int = 10116) -> pd.DataFrame:
    """GTEx-like donors of many tissues, TCGA-like donors of a tumour and sometimes more."""
    rng = np.random.default_rng(7)
    tissues = [f"t{i}" for i in range(14)]
    rows = []
    for i in range(500):
        for tissue in rng.choice(tissues, size=rng.integers(1, 12), replace=False):
            rows.append((f"g{i}", "non-neoplastic", tissue, ""))
    while len(rows) < size:
        tissue = rng.choice(tissues)
        subtype = f"{tissue}.{rng.integers(2)}" if tissue < "t2" else ""
        rows.append((f"t{len(rows)}", "neoplastic", tissue, subtype))
        if rng.random() < 0.12:
            rows.append((rows[-1][0], "peri-neoplastic", tissue, ""))
    return cohort(rows[:size])


@pytest.mark.parametrize("mode", ["donor", "random"])
def test_every_large_stratum_is_split_70_15_15(mode):
    samples = large_cohort()
    split = split_samples(samples, mode, seed=3)
    overall = split.value_counts(normalize=True)
    assert overall["train"] == pytest.approx(0.70, abs=0.005)
    assert overall["test"] == pytest.approx(0.15, abs=0.005)
    strata = samples[list(HEADS)].agg("/".join, axis=1)
    large = strata.map(strata.value_counts()) > 100
    shares = pd.crosstab(strata[large], split[large], normalize="index")
    assert len(shares) > 25
    assert (shares - pd.Series({"train": 0.7, "validation": 0.15, "test": 0.15})).abs().max(
        axis=None
    ) < 0.03


def test_donors_are_kept_together_only_in_donor_mode():
    samples = large_cohort(3000)
    parts = split_samples(samples, "donor").groupby(samples["donor"]).nunique()
    assert (parts == 1).all()
    mixed = split_samples(samples, "random").groupby(samples["donor"]).nunique()
    assert (mixed > 1).any()


def test_same_seed_same_split_whatever_the_order_of_rows():
    samples = large_cohort(2000)
    split = split_samples(samples, seed=5)
    pd.testing.assert_series_equal(split, split_samples(samples, seed=5))
    shuffled = samples.sample(frac=1, random_state=1)
    pd.testing.assert_series_equal(split, split_samples(shuffled, seed=5).sort_index())
    assert (split != split_samples(samples, seed=6)).any()


@pytest.mark.parametrize(
    ("donors", "expected"),
    [
        (1, {"train": 1}),
        (2, {"train": 1, "test": 1}),
        (3, {"train": 1, "test": 1, "validation": 1}),
        (4, {"train": 2, "test": 1, "validation": 1}),
        (20, {"train": 14, "test": 3, "validation": 3}),
    ],
)
def test_few_donors_go_to_train_then_test_then_validation(donors, expected):
    rows = [(f"d{i}", "neoplastic", "liver", "") for i in range(donors)]
    rows += [(f"e{i}", "neoplastic", "lung", "") for i in range(40)]
    samples = cohort(rows)
    split = split_samples(samples)
    assert split[samples["tissue"] == "liver"].value_counts().to_dict() == expected


def test_small_stratum_is_logged(caplog):
    samples = cohort([(f"d{i}", "neoplastic", "lung" if i else "liver", "") for i in range(30)])
    split_samples(samples)
    assert "neoplastic × liver has 1 donor(s) only: 1 train" in caplog.text
    assert "no test sample of tissue liver" in caplog.text


def test_samples_of_no_class_are_background_and_move_no_other():
    samples = large_cohort(600)
    others = cohort([(f"g{i}", "", "other", "") for i in range(0, 300, 3)])
    both = pd.concat([samples, others.assign(sample="o" + others["sample"])], ignore_index=True)
    both = both.sample(frac=1, random_state=1)
    split = split_samples(both, seed=2)
    known = both["tissue"] != "other"
    assert set(split[~known]) == {"background"}
    pd.testing.assert_series_equal(split[known].sort_index(), split_samples(samples, seed=2))
    with pytest.raises(InputError, match="no sample has a class"):
        split_samples(others)


def test_zero_share_is_kept_empty():
    split = split_samples(large_cohort(500), fractions=(0.8, 0.0, 0.2))
    assert set(split) == {"train", "test"}


@pytest.mark.parametrize(
    "fractions", [(0.7, 0.2), (0.7, 0.2, 0.2), (0, 0.5, 0.5), (1.2, -0.2, 0), (np.nan, 0.5, 0.5)]
)
def test_fractions_must_be_shares(fractions):
    with pytest.raises(InputError, match="sum to 1"):
        split_samples(large_cohort(50), fractions=fractions)


def test_unknown_mode():
    with pytest.raises(InputError, match="use 'donor' or 'random'"):
        split_samples(large_cohort(50), mode="study")


ROW = st.tuples(
    st.sampled_from([f"d{i}" for i in range(12)]),
    st.sampled_from(["non-neoplastic", "peri-neoplastic", "neoplastic"]),
    st.sampled_from(["lung", "liver", "kidney", "brain"]),
    st.sampled_from(["", "x", "y"]),
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=60), st.integers(0, 3))
def test_any_cohort_has_every_class_in_training_and_no_donor_twice(rows, seed):
    samples = cohort(rows)
    split = split_samples(samples, seed=seed)
    assert set(split) <= set(SPLITS)
    assert (split.groupby(samples["donor"]).nunique() == 1).all()
    for head in HEADS:
        assert set(samples.loc[split == "train", head]) >= set(samples[head]) - {""}


def test_real_cohort(data, root, tmp_path):
    from real_sheet import real_sheet

    real_sheet(data / "tcga_gtex").to_csv(tmp_path / "real.tsv", sep="\t", index=False)
    samples = read_sheet(tmp_path / "real.tsv", ClassTable.read(root / "resources/classes.tsv"))
    split = split_samples(samples)
    assert (split.groupby(samples["donor"]).nunique() == 1).all()
    assert (split.groupby(samples["specimen"]).nunique() == 1).all()
    for part, share in zip(SPLITS, (0.70, 0.15, 0.15), strict=True):
        assert (split == part).mean() == pytest.approx(share, abs=0.01)
        assert set(samples.loc[split == part, "tissue"]) == set(samples["tissue"])
        assert set(samples.loc[split == part, "subtype"]) == set(samples["subtype"])
