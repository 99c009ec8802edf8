"""A bundle that an earlier version made classifies its samples as that version did.

`tests/data/bundle` was trained on 60 simulated samples; `calls.json` is what the code that wrote it
called of the 24 in `counts.tsv`, whose genes have symbols, Ensembl and Entrez ids in turn. One of
them is noise, one a mixture.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tissuestate.classification.classifier import Classifier
from tissuestate.matrices.read import read_matrix

DATA = Path(__file__).parents[2] / "data"


def numbers(record: dict[str, Any]) -> list[float]:
    """Every number that is said of a sample, in a fixed order."""
    found = [record["novelty"], record["genes_found"], record["genes_expected"]]
    for _, answer in sorted(record["heads"].items()):
        shares = answer["probabilities"]
        found += [answer["probability"], *(shares[name] for name in sorted(shares))]
    return found


def decisions(record: dict[str, Any]) -> dict[str, Any]:
    """What was decided of a sample: classes, sets and whether there is an answer."""
    heads = record["heads"].items()
    return {
        "sample": record["sample"],
        "unit": record["unit"],
        **{
            h: (a["call"], a["set"], sorted(a["probabilities"]), not a["abstained"])
            for h, a in heads
        },
    }


def test_the_calls_are_those_of_the_version_that_wrote_the_bundle() -> None:
    expected = json.loads((DATA / "calls.json").read_text())
    counts = read_matrix(DATA / "counts.tsv")
    frame = pd.DataFrame(counts.values, counts.samples, counts.ids)
    found = Classifier.load(DATA / "bundle").predict(frame, "count")
    records = [found.record(name) for name in found.calls.index]
    assert [decisions(record) for record in records] == [decisions(record) for record in expected]
    values, before = (np.concatenate([numbers(r) for r in rows]) for rows in (records, expected))
    print(f"largest difference of {before.size} numbers: {np.abs(values - before).max():.1e}")
    np.testing.assert_allclose(values, before, rtol=0, atol=1e-12)
    for record in records:
        state = record["heads"]["disease_state"]
        assert record["tumour"]["probability"] == state["probabilities"]["neoplastic"]
        answers = {"neoplastic": "yes", "non-neoplastic": "no", "": ""}
        assert record["tumour"]["call"] == answers[state["call"]]
    answered = [all(not a["abstained"] for a in record["heads"].values()) for record in expected]
    assert 0 < sum(answered) < len(expected) == 24
