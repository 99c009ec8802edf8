"""The choice among candidates by laboratories left out, and the calls of their samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax

from tissuestate.cohort.composition import contrasts, pairs_without_common_batch, states_of_tissue
from tissuestate.evaluation.abstention import Limits
from tissuestate.evaluation.calls import CallRules, full_table, tabulate_calls
from tissuestate.evaluation.sets import ConformalSets
from tissuestate.evaluation.tandem import apply_tandem
from tissuestate.labels import NEOPLASTIC, encode, has_class
from tissuestate.laboratories.answers import novelty_of
from tissuestate.laboratories.calibration import (
    Calibration,
    Scores,
    fit_line,
    fit_temperature,
    head_probabilities,
)
from tissuestate.laboratories.limits import even_weights

RELEASED = 0.9  # share of samples of either subtype that a laboratory left out has right, at least
LABORATORIES = 2  # that show it, at least
SAMPLES = 5  # of each of them, at least


def left_out_loss(scores: Scores, obs: pd.DataFrame, classes: Mapping[str, Any]) -> float:
    """Log loss of tissue (or none) and of tumour or not, mean over laboratories.

    The scale of the scores is fitted before, by one temperature and one line.
    """
    known = has_class(obs).to_numpy()
    codes = encode(obs["tissue"], classes["tissue"])
    codes[~known] = len(classes["tissue"])
    weights = even_weights(obs["laboratory"])
    z = scores["tissue"] / fit_temperature(scores["tissue"], codes, weights)
    loss = -weights @ log_softmax(z, axis=1)[np.arange(len(codes)), codes]
    tumour = (obs["disease_state"] == NEOPLASTIC).to_numpy()[known]
    score, laboratories = scores["tumour"][known, 0], obs["laboratory"][known]
    slope, intercept = fit_line(score, tumour, laboratories)
    odds = np.where(tumour, 1, -1) * (slope * score + intercept)
    return float(loss + even_weights(laboratories) @ np.logaddexp(0, -odds))


def call_left_out(
    scores: Scores,
    obs: pd.DataFrame,
    classes: Mapping[str, Any],
    calibration: Calibration,
    training: pd.DataFrame,
) -> tuple[pd.DataFrame, ConformalSets, list[tuple[str, str]]]:
    """Calls of samples left out, the sets fitted on them, and the subtypes released.

    training: labels of the cohort's samples. Calls have the columns of `Predictions.table` that
    `score_outside` reads. Coverage of the sets holds for a new laboratory, as each weighs the same.
    """
    probabilities = apply_tandem(head_probabilities(calibration, scores, classes), classes)
    known = has_class(obs).to_numpy()
    sets = ConformalSets().fit(
        {head: shares[known] for head, shares in probabilities.items()},
        {head: encode(obs.loc[known, head], classes[head]) for head in probabilities},
        obs.loc[known, "laboratory"].to_numpy(str),
    )
    pairs = contrasts(training, "subtype").to_dict("records")
    confounded = pairs_without_common_batch(pairs, "subtype")
    released = released_subtypes(probabilities, obs, classes, confounded)
    rules = CallRules(
        classes,
        states_of_tissue(training),
        sets,
        [pair for pair in confounded if pair not in released],
        Limits.from_dict(calibration.limits),
    )
    novelty = novelty_of(scores["tissue"], calibration.margin)
    calls = tabulate_calls(probabilities, novelty > 1, rules)
    table = full_table(calls, probabilities, classes, obs.index)
    return table.assign(refused="", novelty=novelty), sets, released


def released_subtypes(
    probabilities: Mapping[str, np.ndarray],
    obs: pd.DataFrame,
    classes: Mapping[str, Any],
    confounded: list[tuple[str, str]],
) -> list[tuple[str, str]]:
    """The confounded pairs that hold in laboratories left out.

    A pair holds if at least two laboratories have samples of one of the two, and in each of them
    nearly all are more probably what they are than the other. probabilities: in tandem.
    """
    if "subtype" not in probabilities:
        return []
    names = list(classes["subtype"])
    found = []
    for pair in confounded:
        shares = np.nan_to_num(probabilities["subtype"][:, [names.index(name) for name in pair]])
        rows = obs["subtype"].isin(pair).to_numpy()
        own = (obs["subtype"] == pair[1]).to_numpy().astype(int)
        right = pd.Series(shares.argmax(axis=1) == own, obs.index) & (shares.sum(axis=1) > 0)
        by_laboratory = right[rows].groupby(obs.loc[rows, "laboratory"]).agg(["size", "mean"])
        enough = by_laboratory[by_laboratory["size"] >= SAMPLES]
        if len(enough) >= LABORATORIES and (enough["mean"] >= RELEASED).all():
            found.append(pair)
    return found


def left_out_labels(obs: pd.DataFrame) -> pd.DataFrame:
    """The labels that `score_outside` reads, of samples left out."""
    return obs[["laboratory", "tissue", "disease_state", "subtype", "unit"]].assign(doubt="")
