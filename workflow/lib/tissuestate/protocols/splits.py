"""Evaluation protocols: other splits of the cohort than the run's own.

Cross-validation by donors, the same with one leak at a time, and splits that test models on a
laboratory, source, study or project that was not in training.
"""

import logging
import re

import pandas as pd

from tissuestate.cohort.split import fold_samples, split_samples
from tissuestate.errors import InputError
from tissuestate.labels import has_class

log = logging.getLogger(__name__)

STEPS = ("normalisation", "correction", "features")
HONEST = "crossvalidation"
# The steps that a protocol by folds fits on all samples, test samples included. 'random' and
# 'paper' also split samples without regard to donors; 'duplicates' keeps a donor together within a
# source only.
FITTED_ON_ALL: dict[str, tuple[str, ...]] = {
    HONEST: (),
    "duplicates": (),
    "random": (),
    "correction": ("correction",),
    "features": ("features",),
    "paper": STEPS,
}


def split_for_protocol(
    obs: pd.DataFrame, protocol: str, part: str, *, folds: int, validation: float, seed: int
) -> pd.Series:
    """Train, validation and test for each sample, '' for those that take no part.

    Samples of no class take no part. obs: labels of the cohort. protocol and part: a key of
    `FITTED_ON_ALL` and 'seed1.fold2', or a column of `obs` and its value that is left out.
    validation: its share of what is not test.
    """
    known = obs[has_class(obs)]
    if protocol not in FITTED_ON_ALL:
        split = left_out_split(known, protocol, part, validation=validation, seed=seed)
        return split.reindex(obs.index, fill_value="")
    found = re.fullmatch(r"seed([0-9]+)\.fold([0-9]+)", part)
    if not found:
        raise InputError(f"protocol {protocol}: {part!r} is not of the form seed1.fold2.")
    own, fold = map(int, found.groups())
    split = fold_split(known, folds, fold, protocol, validation=validation, seed=seed + own)
    return split.reindex(obs.index, fill_value="")


def fold_split(
    obs: pd.DataFrame, folds: int, fold: int, protocol: str, *, validation: float, seed: int
) -> pd.Series:
    """Train, validation and test for each sample; test is one of several folds.

    Each sample is in the test part of exactly one fold. `validation`: its share of the rest.
    """
    donors = obs["donor"]
    if protocol in ("random", "paper"):
        donors = obs.index.to_series()
    elif protocol == "duplicates":
        donors = obs["donor"] + "\t" + obs["source"]
    grouped = obs.assign(donor=donors, sample=obs.index)
    test = fold_samples(grouped, folds, seed) == fold
    return _draw_validation(grouped[~test], validation, seed).reindex(obs.index, fill_value="test")


def left_out_split(
    obs: pd.DataFrame, column: str, value: str, *, validation: float, seed: int
) -> pd.Series:
    """Test: the samples with `value` in `column`; train and validation: those of other donors.

    Samples of the same donors with another value take no part and get ''; so do all samples if
    fewer than two donors are left.
    """
    test = obs[column] == value
    rest = obs[~test & ~obs["donor"].isin(obs.loc[test, "donor"])]
    if rest["donor"].nunique() < 2:
        log.warning("%s %s: too few donors are left to train on without it", column, value)
        return pd.Series("", index=obs.index)
    parts = _draw_validation(rest.assign(sample=rest.index), validation, seed)
    return parts.reindex(obs.index, fill_value="").mask(test, "test")


def _draw_validation(samples: pd.DataFrame, share: float, seed: int) -> pd.Series:
    return split_samples(samples, "donor", (1 - share, share, 0), seed)
