"""Simulated samples of several laboratories, on features whose effects are known."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

CLASSES = {
    "disease_state": ["non-neoplastic", "peri-neoplastic", "neoplastic"],
    "tissue": ["kidney", "liver"],
    "subtype": ["kirc", "kirp"],
    "subtypes_of": {"kidney": ["kirc", "kirp"]},
}
FEATURES = 40


def labels(laboratories: Sequence[str] = "ABCDE", each: int = 4, none: int = 3) -> pd.DataFrame:
    """Labels: in each laboratory `each` samples of each class, and `none` of no class."""
    rows = [
        (laboratory, tissue, state, CLASSES["subtype"][number % 2] if tumour else "")
        for laboratory in laboratories
        for tissue in CLASSES["tissue"]
        for state in CLASSES["disease_state"]
        for number in range(each)
        for tumour in [state == "neoplastic" and tissue == "kidney"]
    ]
    rows += [(laboratory, "other", "", "") for laboratory in laboratories for _ in range(none)]
    obs = pd.DataFrame(rows, columns=["laboratory", "tissue", "disease_state", "subtype"])
    obs.index = [f"{row.laboratory}{number}" for number, row in enumerate(obs.itertuples())]
    return obs.assign(study=obs["laboratory"], source=obs["laboratory"], donor=obs.index)


def features(obs: pd.DataFrame, shifts: dict[str, np.ndarray], seed: int = 0) -> np.ndarray:
    """Samples × features: tissue along 0, no class along 1, tumour along 2, state and subtype along
    3 and 4, noise everywhere; and the shift of the laboratory."""
    x = np.random.default_rng(seed).normal(0, 0.3, (len(obs), FEATURES))
    x[:, 0] += np.select([obs["tissue"] == "kidney", obs["tissue"] == "liver"], [2, -2])
    x[:, 1] += np.where(obs["tissue"] == "other", 3, 0)
    x[:, 2] += np.where(obs["disease_state"] == "neoplastic", 2, 0)
    x[:, 3] += np.where(obs["disease_state"] == "peri-neoplastic", 2, 0)
    x[:, 4] += np.select([obs["subtype"] == "kirc", obs["subtype"] == "kirp"], [2, -2])
    for laboratory, shift in shifts.items():
        x[(obs["laboratory"] == laboratory).to_numpy()] += shift
    return x
