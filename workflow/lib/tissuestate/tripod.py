"""The TRIPOD+AI checklist, filled in as far as a run can know, for those who write about it.

Collins et al. 2024, "TRIPOD+AI statement", BMJ 385:e078378; items in the workflow's own words.
"""

from collections.abc import Mapping
from typing import Any

from tissuestate.composition import pairs_without_common_batch
from tissuestate.model_card import as_table
from tissuestate.wording import head_title

AUTHORS = "For the authors to state: a run cannot know."


def checklist(description: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The checklist in Markdown: number, what is asked, and what this run can say of it.

    description: of the bundle (see `tissuestate.bundle`). settings: the run's config.
    """
    rows = [
        *_introduction(),
        *_data(description, settings),
        *_methods(description, settings),
        *_openness(description),
        *_results(description),
        *_discussion(description),
    ]
    unknown = sum(answer == AUTHORS for _, _, answer in rows)
    return "\n\n".join(
        [
            "# TRIPOD+AI checklist",
            "Reporting items for studies that develop or evaluate a prediction model, after "
            "Collins et al., *BMJ* 2024;385:e078378. Filled in by the workflow from the run that "
            f"trained the model; {unknown} of {len(rows)} items are left to the authors.",
            as_table(["item", "what is asked", "this run"], rows),
            "",
        ]
    )


Row = tuple[str, str, str]


def _introduction() -> list[Row]:
    return [
        ("1", "Title: the model, its population and outcome", AUTHORS),
        ("2", "Abstract", AUTHORS),
        (
            *("3a", "Background: the question and earlier models"),
            "Disease state, tissue of origin and tumour subtype from bulk RNA-seq, for example of "
            "a cancer of unknown primary; after Hong, Hachem & Fehlings, Sci Rep 2022.",
        ),
        (
            *("3b", "Who is meant to use it, on whom, for what"),
            "Research use only; *Intended use* in MODEL_CARD.md. " + AUTHORS,
        ),
        ("3c", "Known inequalities between groups of patients", AUTHORS),
        (
            *("4", "Objectives: development, evaluation or both"),
            "Both: trained, chosen and tested on separate samples of one cohort.",
        ),
    ]


def _data(description: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Row]:
    data = description["data"]
    studies = "; ".join(
        f"{study}: {sum(states.values()):,} samples" for study, states in data["studies"].items()
    )
    quality = settings["quality"]
    kept = (
        f"Samples from reads are excluded below {quality['min_aligned']:.0%} aligned, "
        f"{quality['min_assigned']:.0%} assigned, or an mRIN of {quality['min_mrin']}; every "
        "reason is in qc/samples.tsv."
    )
    outcome = "; ".join(
        f"{head_title(head)}: {len(names)} classes"
        for head, names in description["classes"].items()
    )
    return [
        ("5a", "Sources of data", f"{studies}. Why these: for the authors to state."),
        ("5b", "Dates of collection", AUTHORS),
        ("6a", "Setting and centres", AUTHORS),
        ("6b", "Eligibility", kept + " Of patients: for the authors to state."),
        ("6c", "Treatments received", AUTHORS),
        (
            *("7", "Preparation of data, quality checks, and whether alike in all groups"),
            f"Genes common to all data sets ({len(description['genes']):,}); normalisation "
            f"{settings['normalisation']}; surrogate variables, method "
            f"{settings['correction']['method']}; the same for every sample, no label of a new "
            "sample used.",
        ),
        ("8a", "Outcome and how it was assessed", f"{outcome}, as labelled by the studies."),
        ("8b", "Who assessed the outcome, if subjective", AUTHORS),
        ("8c", "Blinding of the assessment", AUTHORS),
        (
            "9a",
            "Choice of predictors",
            "All common genes; components or genes by training samples.",
        ),
        (
            *("9b", "Definition of predictors"),
            "Expression of genes, log2 after normalisation; genes.tsv.gz in the bundle lists them.",
        ),
        ("9c", "Who assessed the predictors", "Not applicable: measured by sequencing."),
        (
            *("10", "Sample size, and why it is enough"),
            f"{sum(data['samples'].values()):,} samples of {data['donors']:,} donors, all that "
            "passed. No calculation was made: the intervals tell what the number allows.",
        ),
        (
            *("11", "Missing data"),
            f"Missing values in matrices: {settings['cohort']['missing_values']}. Samples without "
            "a label of a head are left out of that head's loss.",
        ),
    ]


def _methods(description: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Row]:
    split, tuning = settings["split"], settings["tuning"]
    shares = " : ".join(f"{share:.0%}" for share in split["fractions"])
    together = (
        "a donor's samples together" if split["mode"] == "donor" else "each sample for itself"
    )
    fitted = "training samples only" if settings["fit_on"] == "train" else "all samples"
    protocols = settings["protocols"]
    validation = (
        f"{protocols['seeds']} × {protocols['folds']}-fold cross-validation by donors"
        if protocols["seeds"]
        else "no cross-validation"
    )
    left_out = ", ".join(protocols["leave_out"]) or "nothing"
    return [
        (
            *("12a", "How data were split and used"),
            f"{shares} training, validation and test, stratified, {together}; {validation}.",
        ),
        ("12b", "Handling of predictors", f"Scaled and transformed, fitted on {fitted}."),
        (
            *("12c", "Type of model, building, tuning, internal validation"),
            "Two fully connected networks in tandem; "
            f"{tuning['evaluations']} × {tuning['epochs']} epochs of search by TPE, "
            f"{settings['training']['epochs']} epochs of training, recipe "
            f"{settings['training']['recipe']}; the epoch of least validation loss is kept.",
        ),
        (
            *("12d", "Heterogeneity between clusters (studies, centres)"),
            f"Left out in turn: {left_out}. Study and state are compared in summary.html.",
        ),
        (
            *("12e", "Measures of performance"),
            "Accuracy, balanced accuracy, precision, recall, F1, AUC, top-K, log loss and "
            "calibration error, with bootstrap intervals over donors.",
        ),
        ("12f", "Model updating", "None."),
        (
            *("12g", "How predictions are made"),
            "By the bundle: `snakemake classify` or `tissuestate.classify.Classifier`.",
        ),
        (
            *("13", "Class imbalance"),
            "No resampling; rare classes are seen in balanced accuracy and per class. "
            "Probabilities are calibrated on validation samples.",
        ),
        ("14", "Fairness: what was done for groups of patients", AUTHORS),
        (
            *("15", "Output of the model, and how calls follow from it"),
            "Calibrated probabilities of each class; the most probable is called, a subtype only "
            "of the tissue called. None is called where it is not clearly the likeliest, where the "
            "sample is not like anything in training, and no subtype of what is called no tumour.",
        ),
        (
            *("16", "Differences between training and evaluation data"),
            "None but the split: the same studies. Outside them: protocols/protocols.html, where "
            "it was run.",
        ),
        ("17", "Ethical approval", AUTHORS),
    ]


def _openness(description: Mapping[str, Any]) -> list[Row]:
    prints = ", ".join(
        f"{name} `{value[:12]}…`" for name, value in description["data"]["fingerprints"].items()
    )
    return [
        ("18a", "Funding", AUTHORS),
        ("18b", "Conflicts of interest", AUTHORS),
        ("18c", "Protocol", "The config, in ro-crate-metadata.json's crate; else for the authors."),
        ("18d", "Registration", AUTHORS),
        ("18e", "Availability of data", f"SHA-256 of {prints}. Access: for the authors to state."),
        ("18f", "Availability of code", "MIT licence; versions in MODEL_CARD.md."),
        ("19", "Involvement of patients and public", AUTHORS),
    ]


def _results(description: Mapping[str, Any]) -> list[Row]:
    data = description["data"]
    flow = ", ".join(f"{count:,} {name}" for name, count in data["samples"].items())
    scored = [
        f"{head_title(row['head'])} {row['value']:.3f}"
        + ("" if row["low"] is None else f" ({row['low']:.3f}–{row['high']:.3f})")
        for row in description["metrics"]
        if row["metric"] == "balanced_accuracy" and row["value"] is not None
    ]
    return [
        ("20a", "Flow of participants", f"{flow}; by study and class in MODEL_CARD.md."),
        ("20b", "Characteristics of participants", "Study, state, tissue, subtype. " + AUTHORS),
        (
            *("20c", "Development beside evaluation data"),
            "Samples of each class by split: summary.html.",
        ),
        (
            *("21", "Participants and events in each analysis"),
            "Samples behind each figure stand beside it in evaluation/*/metrics.tsv.",
        ),
        (
            *("22", "The full model"),
            "bundle/: weights, transformations, gene list and thresholds, without code.",
        ),
        (
            *("23a", "Performance with intervals"),
            "Balanced accuracy on test samples: " + "; ".join(scored) + ".",
        ),
        ("23b", "Heterogeneity of performance", "protocols/protocols.html, where it was run."),
        ("24", "Results of updating", "Not applicable."),
    ]


def _discussion(description: Mapping[str, Any]) -> list[Row]:
    pairs = pairs_without_common_batch(description["data"]["contrasts"], "disease_state", "subtype")
    limits = (
        f"Never in the same study and source: {'; '.join(pairs)}; what tells them apart may be "
        "these. "
        if pairs
        else ""
    )
    return [
        ("25", "Interpretation", AUTHORS),
        ("26", "Limitations", limits + "*Known limits* in MODEL_CARD.md."),
        (
            *("27a", "Poor or missing input, when the model is used"),
            f"A sample with less than {description['thresholds']['genes']:.0%} of the genes is "
            "refused, the reason given in one sentence; fewer missing genes are estimated from "
            "the others.",
        ),
        (
            *("27b", "What users need to do and to know"),
            "Counts of genes, or values whose unit is stated; README.md, *Classify new samples*.",
        ),
        ("27c", "Next steps for research", AUTHORS),
    ]
