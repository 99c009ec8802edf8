"""Facts of the model card, from the description of a bundle."""

from collections.abc import Mapping
from typing import Any

from tissuestate.cohort.composition import pairs_without_common_batch
from tissuestate.evaluation.support import confounded_subtypes, missing_states, sort_pairs
from tissuestate.labels import BACKGROUND, SPLITS, TUMOUR

SHOWN = ("accuracy", "balanced_accuracy", "f1", "auc", "log_loss")

SHOWN_OUTSIDE = (
    *("answered", "right_of_answered", "likeliest_right", "healthy_likeliest_tumour"),
    *("auroc_novelty", "set_coverage", "calibration_error"),
)


def card_facts(description: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of the card (`model_card.md.j2`), from the description in bundle.json."""
    data, classes = description["data"], description["classes"]
    seen = data.get("states_of_tissue", {})
    return {
        "classes": classes,
        "subtypes_of": description["subtypes_of"],
        "genes": len(description["genes"]),
        "least_genes": description["thresholds"]["genes"],
        "samples": {split: data["samples"].get(split, 0) for split in SPLITS},
        "no_class": data["samples"].get(BACKGROUND, 0),
        "laboratories": data.get("laboratories"),
        **{name: data[name] for name in ("donors", "shared_donors", "fingerprints")},
        "studies": [
            (study, state, count)
            for study, states in data["studies"].items()
            for state, count in states.items()
            if count
        ],
        "class_counts": data["classes"],
        "states": list(next(iter(seen.values()), ())),
        "states_of_tissue": seen,
        "metrics": [_numbers(row) for row in description["metrics"] if row["metric"] in SHOWN],
        "trust": _trust(description["trust"]),
        "is_ridge": "calibration" in description,
        "left_out": [
            _numbers(row)
            for row in description.get("left_out", ())
            if row["metric"] in SHOWN_OUTSIDE
        ],
        "limits": description.get("limits"),
        "tumour": next(
            (row for row in description["trust"]["answered"] if row["head"] == TUMOUR), None
        ),
        "unseen": [
            (tissue, missing)
            for tissue in classes["tissue"]
            if (missing := missing_states(tissue, classes["disease_state"], seen))
        ],
        "states_confounded": pairs_without_common_batch(data["contrasts"], "disease_state"),
        "subtypes": sort_pairs(
            pairs_without_common_batch(data["contrasts"], "subtype"),
            confounded_subtypes(description),
        ),
        "fitted_on_all": description["config"].get("fit_on") == "all",
        "versions": description["versions"],
    }


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of metrics with NaN in place of JSON's null."""
    return {name: float("nan") if value is None else value for name, value in row.items()}


def _trust(trust: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Coverage of the sets of each head, and share and accuracy of its answers."""
    left = {row["head"]: row for row in trust["answered"]}
    return [{**row, **left[row["head"]]} for row in trust["sets"]]
