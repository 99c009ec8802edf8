"""Facts of a run for the TRIPOD+AI checklist (`tripod.md.j2`)."""

from collections.abc import Mapping
from typing import Any

from tissuestate.cohort.composition import pairs_without_common_batch


def checklist_facts(description: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of the checklist on a run.

    description: of the bundle (see `tissuestate.bundle.format`). settings: the run's config.
    """
    data, protocols = description["data"], settings["protocols"]
    return {
        "studies": {study: sum(states.values()) for study, states in data["studies"].items()},
        **{name: data[name] for name in ("samples", "donors", "fingerprints")},
        "genes": len(description["genes"]),
        "least_genes": description["thresholds"]["genes"],
        "classes": {head: len(names) for head, names in description["classes"].items()},
        **{name: settings[name] for name in ("quality", "normalisation", "tuning", "training")},
        "correction": settings["correction"]["method"],
        "missing_values": settings["cohort"]["missing_values"],
        "fractions": settings["split"]["fractions"],
        "split_by_donor": settings["split"]["mode"] == "donor",
        "fitted_on_training": settings["fit_on"] == "train",
        **{name: protocols[name] for name in ("seeds", "folds")},
        "left_out": protocols["leave_out"],
        "is_ridge": "calibration" in description,
        "balanced_accuracy": [
            {**row, **{end: float("nan") for end in ("low", "high") if row[end] is None}}
            for row in description["metrics"]
            if row["metric"] == "balanced_accuracy" and row["value"] is not None
        ],
        "confounded": pairs_without_common_batch(data["contrasts"], "disease_state", "subtype"),
    }
