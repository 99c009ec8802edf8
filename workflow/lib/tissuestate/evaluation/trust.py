"""Trust in calls: the coverage of the sets and the gain by abstaining."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.cohort.donors import bootstrap_weights
from tissuestate.evaluation.abstention import Limits, abstention_reasons, tumour_probability
from tissuestate.evaluation.calls import CallRules
from tissuestate.evaluation.sets import ConformalSets
from tissuestate.evaluation.support import StatesOfTissue, with_rivals
from tissuestate.evaluation.tandem import apply_tandem
from tissuestate.labels import HEADS, NEOPLASTIC, TUMOUR, encode

ENOUGH = 20  # test samples of a tissue whose coverage is shown, at least
POINTS = 200  # of a curve at most


def shown_probabilities(
    predictions: pd.DataFrame, classes: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Probabilities by head of a table of predictions, as a user sees them."""
    heads = [head for head in HEADS if f"{head}_true" in predictions]
    columns = {head: [f"{head}:{name}" for name in classes[head]] for head in heads}
    shares = {head: predictions[names].to_numpy(float) for head, names in columns.items()}
    return apply_tandem(shares, classes)


def set_coverage(
    predictions: pd.DataFrame,
    classes: Mapping[str, Any],
    sets: ConformalSets,
    confounded: Collection[tuple[str, str]] = (),
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Coverage of the sets, for each head and for tissues with enough samples.

    confounded: pairs of subtypes of which a set has both or none (see `confounded_subtypes`).

    One row per head and tissue ('' = all) of test samples: samples, donors, coverage with its 95 %
    interval (bootstrap over donors), size (classes on average), single and empty (shares of sets).
    """
    test = predictions[predictions["split"] == "test"]
    rows = []
    for head, shares in shown_probabilities(test, classes).items():
        codes = encode(test[f"{head}_true"], classes[head])
        members = sets.members(head, shares)
        if head == "subtype":
            members = with_rivals(members, classes[head], confounded)
        for tissue in ["", *classes["tissue"]]:
            chosen = (codes >= 0) & (True if not tissue else test["tissue_true"] == tissue)
            chosen = np.asarray(chosen, dtype=bool)
            if chosen.sum() < (ENOUGH if tissue else 1):
                continue
            hit = members[chosen, codes[chosen]].astype(float)
            sizes = members[chosen].sum(axis=1)
            donors = pd.factorize(test.loc[chosen, "donor"])[0]
            weights = bootstrap_weights(donors, resamples, seed)
            low, high = np.percentile(weights @ hit / weights.sum(axis=1), [2.5, 97.5])
            rows.append(
                {
                    "head": head,
                    "tissue": tissue,
                    "samples": len(hit),
                    "donors": donors.max() + 1,
                    "coverage": hit.mean(),
                    "low": low,
                    "high": high,
                    "size": sizes.mean(),
                    "single": (sizes == 1).mean(),
                    "empty": (sizes == 0).mean(),
                }
            )
    return pd.DataFrame(rows)


def abstention_curve(
    predictions: pd.DataFrame,
    classes: Mapping[str, Any],
    new: np.ndarray,
    states_of_tissue: StatesOfTissue,
    confounded: Collection[tuple[str, str]] = (),
    limits: Limits | None = None,
) -> pd.DataFrame:
    """Accuracy against the share of test samples answered: head, rule, share, accuracy, n.

    The heads, and 'tumour' if there are tumours and others. new: whether each sample of
    `predictions` is unlike the training samples; states_of_tissue: see `StatesOfTissue`;
    confounded: see `confounded_subtypes`. Rule 'confidence' answers the most probable calls first
    (those of new samples last); rule 'abstention' is that of `tissuestate.evaluation.abstention`.
    For a subtype that the tandem withholds, the latter gives no answer and the former a wrong one.
    """
    test = (predictions["split"] == "test").to_numpy()
    predictions, new = predictions[test], new[test]
    shares_of = shown_probabilities(predictions, classes)
    why = abstention_reasons(
        shares_of, classes, new, states_of_tissue, confounded, limits or Limits()
    )
    true = {head: encode(predictions[f"{head}_true"], classes[head]) for head in shares_of}
    states = classes["disease_state"]
    if NEOPLASTIC in states and len(states) > 1:
        tumour = tumour_probability(shares_of["disease_state"], states)
        shares_of = {TUMOUR: np.column_stack([1 - tumour, tumour]), **shares_of}
        state = true["disease_state"]
        true[TUMOUR] = np.where(state < 0, -1, state == list(states).index(NEOPLASTIC))
    parts = []
    for head, shares in shares_of.items():
        codes = true[head]
        known = codes >= 0
        if not known.any():
            continue
        filled = np.nan_to_num(shares[known], nan=-1.0)
        has_shares = filled.max(axis=1) >= 0
        right = has_shares & (filled.argmax(axis=1) == codes[known])
        confidence = np.where(new[known], filled.max(axis=1) - 1, filled.max(axis=1))
        order = np.argsort(-confidence, kind="stable")
        count = np.arange(1, len(order) + 1)
        places = np.unique(np.linspace(0, len(order) - 1, min(POINTS, len(order))).astype(int))
        curve = {
            "head": head,
            "rule": "confidence",
            "share": count[places] / len(order),
            "accuracy": (np.cumsum(right[order]) / count)[places],
            "n": count[places],
        }
        passed = has_shares & (np.array(why[head], dtype=object)[known] == "")
        rule = {
            "head": [head],
            "rule": "abstention",
            "share": [passed.mean()],
            "accuracy": [right[passed].mean() if passed.any() else np.nan],
            "n": [int(passed.sum())],
        }
        parts += [pd.DataFrame(curve), pd.DataFrame(rule)]
    return pd.concat(parts, ignore_index=True)


def trust_tables(
    predictions: pd.DataFrame,
    classes: Mapping[str, Any],
    novelty: np.ndarray,
    rules: CallRules,
    *,
    resamples: int,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """The tables of a model's trust: sets, abstention, novelty.

    novelty: the score of each sample of `predictions`.
    """
    return {
        "sets": set_coverage(
            predictions, classes, rules.sets, rules.confounded, resamples=resamples, seed=seed
        ),
        "abstention": abstention_curve(
            predictions,
            classes,
            novelty > 1,
            rules.states_of_tissue,
            rules.confounded,
            rules.limits,
        ),
        "novelty": predictions[["sample", "split", "tissue_true"]].assign(score=novelty),
    }
