"""Facts of the model card, from the description of a bundle."""

from collections.abc import Mapping
from typing import Any

from tissuestate.bundle.format import page_facts
from tissuestate.cohort.composition import pairs_without_common_batch
from tissuestate.evaluation.support import confounded_subtypes, missing_states, sort_pairs
from tissuestate.labels import BACKGROUND, QUESTIONS, SPLITS, measured_head

SHOWN = ("balanced_accuracy", "auc")
SHOWN_OUTSIDE = ("answered", "right_of_answered", "likeliest_right", "calibration_error")


def card_facts(description: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of the card (`model_card.md.j2`), from the description in bundle.json."""
    data, classes = description["data"], description["classes"]
    seen = data.get("states_of_tissue", {})
    return {
        **page_facts(description),
        "name": description.get("name", ""),
        "sources": data.get("sources", []),
        "classes": classes,
        "subtypes_of": description["subtypes_of"],
        "genes": len(description["genes"]),
        "least_genes": description["thresholds"]["genes"],
        "samples": {split: data["samples"].get(split, 0) for split in SPLITS},
        "no_class": data["samples"].get(BACKGROUND, 0),
        "laboratories": data.get("laboratories"),
        **{name: data[name] for name in ("donors", "shared_donors", "fingerprints", "studies")},
        "states": _states(data),
        "states_of_tissue": seen,
        "record": _record(description),
        "scores": scores_by_question(description),
        "is_ridge": "calibration" in description,
        "left_out": _left_out(description),
        "limits": description.get("limits"),
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


def _states(data: Mapping[str, Any]) -> list[str]:
    """The disease states of the cohort."""
    return list(dict.fromkeys(state for states in data["studies"].values() for state in states))


def _record(description: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The classes of each head with their record; of an earlier bundle their samples alone."""
    record = description.get("record")
    if record is None:
        rows = description["data"]["classes"]
        heads = dict.fromkeys(row["head"] for row in rows)
        return {head: [row for row in rows if row["head"] == head] for head in heads}
    return {
        head: [{"class": name, **numbers} for name, numbers in classes.items()]
        for head, classes in record.items()
        if classes
    }


def scores_by_question(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each question the test samples right, main metrics, and answers that were given.

    asked and right: by the most probable answer. answered, answered_right: without the calls that
    are withheld. sets: coverage of the 90 % sets, None if there are none.
    """
    metrics = {(row["head"], row["metric"]): row for row in description["metrics"]}
    answered = {row["head"]: row for row in description["trust"]["answered"]}
    sets = {row["head"]: row for row in description["trust"]["sets"]}
    heads = {head for head, _ in metrics}
    rows = []
    for question in QUESTIONS:
        head = measured_head(question, heads)
        accuracy = metrics.get((head, "accuracy"))
        if accuracy is None or accuracy["value"] is None:
            continue
        calls = answered.get(question)
        rows.append(
            {
                "question": question,
                "asked": accuracy["n"],
                "right": round(accuracy["value"] * accuracy["n"]),
                **{metric: _numbers(metrics.get((head, metric))) for metric in SHOWN},
                "answered": calls["n"] if calls else None,
                "answered_right": round((calls["accuracy"] or 0) * calls["n"]) if calls else None,
                "sets": _numbers(sets[question]) if question in sets else None,
            }
        )
    return rows


def _left_out(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each question the means over laboratories left out, with samples and laboratories."""
    rows: dict[str, dict[str, Any]] = {}
    for row in description.get("left_out", ()):
        if row["metric"] in SHOWN_OUTSIDE:
            about = {name: row[name] for name in ("question", "samples", "laboratories")}
            # The first is `answered`, which all samples count for.
            rows.setdefault(row["question"], about)[row["metric"]] = row["value"]
    return list(rows.values())


def _numbers(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """A row of metrics with NaN in place of JSON's null, and of what was not measured."""
    found = row or dict.fromkeys(("value", "low", "high"))
    return {name: float("nan") if value is None else value for name, value in found.items()}
