"""The laboratories that the samples of each tissue and state come from, and the holes."""

from typing import Any

import pandas as pd

from tissuestate.labels import STATES, has_class

LEAST = 4  # laboratories with classes, from which on they are left out
LARGEST = 0.5  # share of the samples: a larger laboratory always trains, or little would be left


def laboratory_table(samples: pd.DataFrame) -> pd.DataFrame:
    """Samples by tissue, disease_state and laboratory; a pair without any has one row of 0."""
    keys = ["tissue", "disease_state"]
    counts = samples[[*keys, "laboratory"]].value_counts().rename("samples").reset_index()
    counts = counts.sort_values([*keys, "laboratory"])
    known = samples[has_class(samples)]
    states = [state for state in STATES if (known["disease_state"] == state).any()]
    pairs = pd.MultiIndex.from_product([sorted(set(known["tissue"])), states], names=keys)
    table = pairs.to_frame(index=False).merge(counts, "left", on=keys)
    table = table.fillna({"laboratory": "", "samples": 0})
    others = counts[~has_class(counts)]
    return pd.concat([table, others], ignore_index=True).astype({"samples": int})


def laboratory_support(samples: pd.DataFrame) -> dict[str, Any]:
    """How many laboratories support each pair of tissue and state.

    cells: by tissue and state the numbers of samples and laboratories. missing, single: how many of
    the pairs have no sample, or samples of one laboratory only. Samples of no class do not count.
    """
    table = laboratory_table(samples[has_class(samples)])
    cells: dict[str, dict[str, dict[str, int]]] = {}
    for (tissue, state), rows in table.groupby(["tissue", "disease_state"], sort=False):
        number = int((rows["samples"] > 0).sum())
        cell = {"samples": int(rows["samples"].sum()), "laboratories": number}
        cells.setdefault(str(tissue), {})[str(state)] = cell
    numbers = [cell["laboratories"] for states in cells.values() for cell in states.values()]
    return {
        "laboratories": table["laboratory"][table["samples"] > 0].nunique(),
        "cells": cells,
        "pairs": len(numbers),
        "missing": numbers.count(0),
        "single": numbers.count(1),
    }


def laboratories_left_out(samples: pd.DataFrame) -> list[str]:
    """The laboratories that are left out, in order; none if the cohort has too few.

    `samples` has laboratory and tissue. A laboratory of most samples always trains.
    """
    known = samples.loc[has_class(samples), "laboratory"]
    counts = known.value_counts()
    if len(counts) < LEAST:
        return []
    largest = set(counts.index[counts > LARGEST * len(known)])
    return sorted(set(samples["laboratory"]) - largest - {""})
