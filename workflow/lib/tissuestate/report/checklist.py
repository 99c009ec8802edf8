"""Facts of a run for the TRIPOD+AI checklist (`tripod.md.j2`)."""

from collections.abc import Mapping
from typing import Any

from tissuestate.bundle.card import scores_by_question
from tissuestate.bundle.format import page_facts
from tissuestate.cohort.composition import pairs_without_common_batch


def checklist_facts(description: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of the checklist on a run.

    description: of the bundle (see `tissuestate.bundle.format`). settings: the run's config.
    """
    data, protocols = description["data"], settings["protocols"]
    return {
        **page_facts(description),
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
        "scores": scores_by_question(description),
        "confounded": pairs_without_common_batch(data["contrasts"], "disease_state", "subtype"),
    }
