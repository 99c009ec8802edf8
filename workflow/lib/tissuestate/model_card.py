"""The model card: what a bundle may be used for and how far to trust it, from its description.

Sections follow Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tissuestate.composition import pairs_without_common_batch
from tissuestate.support import gap, missing_states
from tissuestate.wording import head_title, metric_title

SPLITS = ("train", "validation", "test")
SHOWN = ("accuracy", "balanced_accuracy", "f1", "auc", "log_loss")


def write_card(description: Mapping[str, Any]) -> str:
    """The card in Markdown, from the description in bundle.json (see `tissuestate.bundle`)."""
    parts = [
        "# Model card",
        "Calls the disease state, the tissue of origin and, where the tissue has them, the "
        "tumour subtype of a human bulk RNA-seq sample. Two neural networks in tandem after Hong, "
        "Hachem & Fehlings, *Scientific Reports* 2022. This card was written by the workflow that "
        "trained the model; its numbers are those of `bundle.json` beside it.",
        *_use(),
        *_classes(description),
        *_data(description["data"]),
        *_performance(description["metrics"]),
        *_trust(description["trust"]),
        *_limits(description),
        *_provenance(description),
    ]
    return "\n\n".join(parts) + "\n"


def as_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def _use() -> list[str]:
    return [
        "## Intended use",
        "- Research on RNA-seq of bulk human tissue: a second opinion on the origin of a tumour, a "
        "check of sample labels, a baseline for other classifiers.\n"
        "- The sample gives raw or expected counts of genes (best), or normalised values whose "
        "unit is stated.",
        "Not for diagnosis or treatment decisions: it is no medical device and was not validated "
        "as one. Not for cell lines, single cells, xenografts, blood, other species, or "
        "tissues that are not listed below: the model knows no other answer. Most such samples are "
        "told to be unlike the training samples and get none; some are given a class all the same.",
    ]


def _classes(description: Mapping[str, Any]) -> list[str]:
    classes, subtypes_of = description["classes"], description["subtypes_of"]
    subtypes = "; ".join(f"{tissue}: {', '.join(own)}" for tissue, own in subtypes_of.items())
    return [
        "## Classes",
        f"- Disease state: {', '.join(classes['disease_state'])}\n"
        f"- Tissue: {', '.join(classes['tissue'])}\n"
        f"- Subtype, called only for tumours of these tissues: {subtypes or 'none'}",
        f"The networks see {len(description['genes']):,} genes. A sample with less than "
        f"{description['thresholds']['genes']:.0%} of them is refused.",
    ]


def _data(data: Mapping[str, Any]) -> list[str]:
    splits = data["samples"]
    parts = [
        "## Training data",
        f"{splits.get('train', 0):,} training samples fitted the model, "
        f"{splits.get('validation', 0):,} validation samples chose its settings and calibrated "
        f"its probabilities, {splits.get('test', 0):,} test samples gave the figures below; "
        f"{data['donors']:,} donors in all.",
        as_table(
            ["study", "disease state", "samples"],
            [
                (study, state, f"{count:,}")
                for study, states in data["studies"].items()
                for state, count in states.items()
                if count
            ],
        ),
        as_table(
            ["question", "class", *SPLITS],
            [
                (
                    head_title(row["head"]),
                    row["class"],
                    row["train"],
                    row["validation"],
                    row["test"],
                )
                for row in data["classes"]
            ],
        ),
    ]
    states = list(next(iter(data.get("states_of_tissue", {}).values()), ()))
    if states:
        parts += [
            "Training samples of each tissue by disease state. Of a tissue that had no tumours, or "
            "one state only, no state is called; of others none that they lacked.",
            as_table(
                ["tissue", *states],
                [(tissue, *row.values()) for tissue, row in data["states_of_tissue"].items()],
            ),
        ]
    if data["shared_donors"]:
        parts.append(
            f"**{data['shared_donors']:,} donors have samples on several sides of the split:** the "
            "test figures are optimistic for new patients."
        )
    return parts


def _performance(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    def cell(row: Mapping[str, Any]) -> str:
        if row["value"] is None:
            return "not computed"
        if row["low"] is None:
            return f"{row['value']:.3f}"
        return f"{row['value']:.3f} ({row['low']:.3f}–{row['high']:.3f})"

    rows = [
        (head_title(row["head"]), metric_title(row["metric"]), cell(row), row["n"])
        for row in metrics
        if row["metric"] in SHOWN
    ]
    return [
        "## Performance on test samples",
        as_table(["question", "metric", "value (95 % interval)", "samples"], rows),
        "Intervals are by bootstrap over donors: they tell what other samples of the same studies "
        "would give. “In tandem” asks for the subtype only where the called tissue has "
        "subtypes, as in use. Published classifiers of this kind report 97–99 % within their "
        "study and 72–91 % outside it.",
    ]


def _trust(trust: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    left = {row["head"]: row for row in trust["answered"]}
    rows = [
        (
            head_title(row["head"]),
            f"{row['coverage']:.3f} ({row['low']:.3f}–{row['high']:.3f})",
            f"{row['size']:.2f}",
            f"{left[row['head']]['share']:.3f}",
            "none answered"
            if left[row["head"]]["accuracy"] is None
            else f"{left[row['head']]['accuracy']:.3f}",
        )
        for row in trust["sets"]
    ]
    return [
        "## How far to trust a call",
        as_table(
            [
                "question",
                "covered by the 90 % sets (95 % interval)",
                "classes a set",
                "share answered",
                "accuracy of the answers",
            ],
            rows,
        ),
        "A sample gets no answer where it is not like anything in training, where no class is more "
        "likely than not, or where two are about equally likely. Sets hold the true class in nine "
        "of ten samples like those of the training cohort, over all classes together and not in "
        "each; an empty set marks a call less certain than nine of ten.",
    ]


def _limits(description: Mapping[str, Any]) -> list[str]:
    states, subtypes = (
        pairs_without_common_batch(description["data"]["contrasts"], head)
        for head in ("disease_state", "subtype")
    )
    lines, seen = [], description["data"].get("states_of_tissue", {})
    gaps = [
        gap(tissue, missing)
        for tissue in description["classes"]["tissue"]
        if (missing := missing_states(tissue, description["classes"]["disease_state"], seen))
    ]
    if gaps:
        lines.append(
            f"**Not every state was seen of every tissue**: {'; '.join(gaps)}. Such a sample would "
            "be called something else; the warnings of each call say where that matters."
        )
    if states:
        lines.append(
            f"**Study and disease state are confounded.** These states never occur in the same "
            f"study and source: {'; '.join(states)}. What tells them apart may be the study (its "
            "donors, laboratory, library preparation), and neither the figures above nor the "
            "batch correction can show otherwise. A call that rests on such a difference is not "
            "evidence of disease."
        )
    if subtypes:
        lines.append(
            "**Source and subtype are confounded.** These subtypes of one tissue never occur in "
            f"the same study and source: {'; '.join(subtypes)}. What tells them apart may be how "
            "their numbers were made."
        )
    lines += [
        "Probabilities were calibrated on validation samples of the same studies. For samples "
        "unlike them a high probability can be wrong.",
        "Classes with few test samples have wide intervals; see the report's confusion matrix.",
        "A subtype is named where the called tissue has subtypes, unless the sample is called no "
        "tumour; where no state is called, whether it is one is open.",
    ]
    if description["config"].get("fit_on") == "all":
        lines.append(
            "Normalisation, correction and features were fitted on all samples, test samples "
            "included (as in the paper): the figures above are optimistic."
        )
    return ["## Known limits", "\n".join(f"- {line}" for line in lines)]


def _provenance(description: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {number}" for name, number in description["versions"].items())
    prints = description["data"]["fingerprints"]
    return [
        "## Provenance",
        f"- Versions: {versions}\n"
        + "\n".join(f"- SHA-256 of {name}: `{value}`" for name, value in prints.items()),
        "The bundle holds plain arrays and text, no code; `bundle.json` has a checksum of each "
        "file. It holds no names of samples or donors.",
    ]
