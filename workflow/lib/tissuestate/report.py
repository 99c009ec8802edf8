"""The run on one page, for the reader who has one minute."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tissuestate import pages
from tissuestate.composition import (
    batches,
    contrasts,
    cramers_v,
    pairs_without_common_batch,
    split_table,
    states_of,
)
from tissuestate.figure_expression import before_and_after
from tissuestate.protocol_page import brief
from tissuestate.sheet import HEADS
from tissuestate.tables import read_table
from tissuestate.tandem import TANDEM, within
from tissuestate.wording import head_title, measure_title, metric_title, model_title

DEEP = "dl_pca"
SHOWN = ("accuracy", "balanced_accuracy", "auc", "f1")
ASKED = (*(asked for head in HEADS for asked in (head, within(head))), TANDEM)


def read_metrics(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The metrics.tsv of several models as one frame; a model is named by its file's folder."""
    tables = [read_table(path).assign(model=Path(path).parent.name) for path in paths]
    return pd.concat(tables, ignore_index=True)


@dataclass
class Facts:
    """Facts of a run, each once: section, item, value; the numbers behind the page's sentences."""

    rows: list[tuple[str, str, Any]] = field(default_factory=list)

    def add(self, section: str, item: str, value: Any) -> None:
        """Note one fact."""
        self.rows.append((section, item, value))

    def table(self) -> pd.DataFrame:
        """The facts as a long table."""
        return pd.DataFrame(self.rows, columns=["section", "item", "value"])


@dataclass(frozen=True)
class Run:
    """The tables of a run that its summary is made from; column names are those of the stages.

    kept: labels of the samples in the cohort (index sample). genes: their number. qc is None where
    no sample came from reads, truth where nothing is simulated. metrics: of all models, with a
    column model. comparison: of all models with DL PCA (see `tissuestate.compare`).
    sets, answered: of the bundled network (see `tissuestate.reliance`), None where not measured.
    protocols: the tables crossvalidation, leaks and outside of `tissuestate.assess`, or none.
    """

    kept: pd.DataFrame
    qc: pd.DataFrame | None
    datasets: pd.DataFrame
    genes: int
    diagnostics: pd.DataFrame
    classes: Mapping[str, Any]
    metrics: pd.DataFrame
    benchmark: pd.DataFrame
    comparison: pd.DataFrame
    sets: pd.DataFrame | None = None
    answered: pd.DataFrame | None = None
    protocols: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    truth: pd.DataFrame | None = None


def summarise(run: Run) -> tuple[str, pd.DataFrame]:
    """The run as one HTML page and as a long table of facts (section, item, value)."""
    facts = Facts()
    body = [
        *_first_paragraph(run, facts),
        *_performance(run, facts),
        *_protocols(run),
        *_trust(run, facts),
        *_confounding(run, facts),
        *_batches(run, facts),
        *_cohort(run, facts),
        *_quality(run, facts),
        *_genes(run, facts),
        *_correction(run, facts),
        *_truth(run, facts),
    ]
    return pages.page("Disease state and tissue of origin: this run in brief", body), facts.table()


def winners(benchmark: pd.DataFrame) -> pd.DataFrame:
    """The best model of each head by balanced accuracy, and the score of DL PCA beside it."""
    rows = []
    for head in HEADS:
        scored = benchmark[benchmark["head"] == head].dropna(subset=["balanced_accuracy"])
        if scored.empty:
            continue
        scores = scored.set_index("model")["balanced_accuracy"]
        deep = float(scores.get(DEEP, np.nan))
        best = DEEP if deep >= scores.max() else str(scores.idxmax())
        rows.append({"head": head, "best": best, "best_score": float(scores[best]), DEEP: deep})
    return pd.DataFrame(rows, columns=["head", "best", "best_score", DEEP])


def _first_paragraph(run: Run, facts: Facts) -> list[str]:
    kept, splits = run.kept, run.kept["split"].value_counts()
    studies = kept["study"].value_counts()
    named = ", ".join(f"{name} ({count:,})" for name, count in studies.items())
    text = (
        f"Trained on {splits.get('train', 0):,} samples of "
        f"{kept.loc[kept['split'] == 'train', 'donor'].nunique():,} donors, chosen on "
        f"{splits.get('validation', 0):,} and tested on {splits.get('test', 0):,}, from "
        f"{len(studies)} {'study' if len(studies) == 1 else 'studies'}: {named}. "
        f"{len(run.classes['disease_state'])} disease states, {len(run.classes['tissue'])} "
        f"tissues, {len(run.classes['subtype'])} subtypes; {run.genes:,} genes."
    )
    for split in ("train", "validation", "test"):
        facts.add("cohort", f"{split} samples", int(splits.get(split, 0)))
    facts.add("cohort", "donors", int(kept["donor"].nunique()))
    facts.add("cohort", "genes", run.genes)
    shared = int((kept.groupby("donor")["split"].nunique() > 1).sum())
    facts.add("cohort", "donors on several sides of the split", shared)
    parts = [pages.paragraph(text), pages.paragraph(_verdict(run, facts), "note")]
    if shared:
        parts.append(
            pages.paragraph(
                f"{shared:,} donors have samples on several sides of the split, as in the paper's "
                "random split: the test figures are optimistic for new patients.",
                "warning",
            )
        )
    return parts


def _verdict(run: Run, facts: Facts) -> str:
    """Whether anything beats the network of the paper, said before any number."""
    sentences = []
    for row in winners(run.benchmark).itertuples():
        name = head_title(row.head).lower()
        facts.add("benchmark", f"best model, {row.head}", row.best)
        facts.add("benchmark", f"balanced accuracy of the best, {row.head}", row.best_score)
        if row.best == DEEP:
            sentences.append(f"For {name}, DL PCA is best or shares the first place.")
            continue
        paired = run.comparison.set_index(["model", "head", "metric"])
        found = paired.loc[(row.best, row.head, "balanced_accuracy")]
        low, high = found["difference_low"], found["difference_high"]
        sentences.append(
            f"For {name}, {model_title(row.best)} scores higher than DL PCA ({row.best_score:.3f} "
            f"against {getattr(row, DEEP):.3f} balanced accuracy; 95 % interval of the difference "
            f"{low:.3f} to {high:.3f}), "
            + (
                "by more than the uncertainty of the test set."
                if low > 0
                else "within the uncertainty of the test set."
            )
        )
    sentences += _beaten(run.protocols)
    return " ".join(sentences) or "No model was scored."


def _beaten(protocols: Mapping[str, pd.DataFrame]) -> list[str]:
    """The models that beat DL PCA in cross-validation by more than chance: it has more samples."""
    folds = protocols.get("crossvalidation", pd.DataFrame())
    if folds.empty:
        return []
    scored = folds[(folds["metric"] == "balanced_accuracy") & folds["head"].isin(HEADS)]
    return [
        f"Cross-validated by donors, {model_title(row['model'])} scores higher than DL PCA for "
        f"{head_title(row['head']).lower()}, by {row['difference']:.3f} (95 % interval "
        f"{row['difference_low']:.3f} to {row['difference_high']:.3f})."
        for row in scored[scored["difference_low"] > 0].to_dict("records")
    ]


def _performance(run: Run, facts: Facts) -> list[str]:
    ours = run.metrics[run.metrics["model"] == DEEP]
    rows = []
    for head in ASKED:
        known = ours[ours["head"] == head].set_index("metric")
        if known.empty:
            continue
        row = {"question": head_title(head)}
        for metric in SHOWN:
            if metric in known.index:
                value, low, high = known.loc[metric, ["value", "low", "high"]].astype(float)
                row[metric_title(metric)] = pages.with_interval(value, low, high)
                facts.add("test metrics", f"{metric}, {head}", value)
        row["test samples"] = str(int(known["n"].max()))
        rows.append(row)
    return [
        pages.heading("How good on test samples"),
        pages.table(pd.DataFrame(rows).fillna("")),
        pages.paragraph(
            "DL PCA, the paper's network; in brackets the 95 % bootstrap interval. Balanced "
            "accuracy counts every class the same, however rare. “In tandem” asks "
            "for the subtype only where the tissue called has subtypes, as it is used. “Within a "
            "batch” asks among those classes alone that a sample's own study and source hold, so "
            "that knowing these does not help; a batch of one class asks nothing. Where every "
            "call is right, resampling shows no spread: with n test samples the true error may "
            "still be as large as 3 ÷ n. The intervals describe other samples of the same "
            "studies, not other studies: classifiers of this kind lose accuracy on data from "
            "elsewhere.",
            "small",
        ),
    ]


def _protocols(run: Run) -> list[str]:
    sentences = brief(run.protocols) if run.protocols else []
    if not sentences:
        return []
    return [
        pages.heading("How good for other donors, and outside"),
        pages.items(sentences),
        pages.paragraph("All of it is in protocols/protocols.html.", "small"),
    ]


def _trust(run: Run, facts: Facts) -> list[str]:
    if run.sets is None or run.answered is None:
        return []
    sets = run.sets[run.sets["tissue"] == ""].set_index("head")
    left = run.answered[run.answered["rule"] == "abstention"].set_index("head")
    rows = []
    for head in (head for head in ASKED if head in sets.index):
        covered, rule = sets.loc[head], left.loc[head]
        for item, value in (
            ("covered by the sets", covered["coverage"]),
            ("share answered", rule["share"]),
            ("accuracy of the answers", rule["accuracy"]),
        ):
            facts.add("trust", f"{item}, {head}", float(value))
        interval = [float(covered[name]) for name in ("coverage", "low", "high")]
        rows.append(
            {
                "question": head_title(head),
                "covered by the 90 % sets": pages.with_interval(*interval),
                "classes a set": float(covered["size"]),
                "share answered": float(rule["share"]),
                "accuracy of the answers": float(rule["accuracy"]),
                "test samples": int(covered["samples"]),
            }
        )
    return [
        pages.heading("How far to trust a call"),
        pages.table(pd.DataFrame(rows)),
        pages.paragraph(
            "The bundled network. A sample gets no answer where it is not like anything in "
            "training, where no class is more likely than not, or where two are about equally "
            "likely. The sets promise to hold the true class of nine in ten samples like those of "
            "training, over all classes together.",
            "small",
        ),
    ]


def _confounding(run: Run, facts: Facts) -> list[str]:
    kept = run.kept
    association = cramers_v(kept["study"], kept["disease_state"])
    facts.add("confounding", "Cramér's V, study and disease state", association)
    sentences, pairs = [], contrasts(kept)
    for row in pairs.itertuples():
        facts.add("confounding", f"samples that contrast {row.first} and {row.second}", row.samples)
        if row.studies:
            sentences.append(
                f"{row.first.capitalize()} and {row.second} both occur in {row.studies} "
                f"({row.samples:,} samples), so the difference between them can be learnt "
                "within a batch."
            )
        else:
            sentences.append(
                f"{row.first.capitalize()} and {row.second} never occur in the same study and "
                "source: what tells them apart may be these, and this data cannot say."
            )
    if kept["study"].nunique() == 1:
        sentences.append("All samples are from one study; nothing is known about any other.")
    sentences += [*_visible_study(run, facts), *_conclusion(run, facts)]
    strength = "" if np.isnan(association) else f" (Cramér's V {association:.2f}; 1 = fully)"
    table = pd.crosstab(batches(kept).rename("study"), kept["disease_state"])[states_of(kept)]
    return [
        pages.heading("What to beware of: study and disease state"),
        pages.paragraph(
            f"How far study and disease state go together{strength} limits what a call of the "
            "disease state means. " + " ".join(sentences),
            "warning" if (pairs["studies"] == "").any() else "",
        ),
        pages.table(
            table.reset_index().rename_axis(columns=None),
            "Samples kept, by study and disease state",
        ),
    ]


def _batches(run: Run, facts: Facts) -> list[str]:
    """The tissues and subtypes that a batch may give away, where there are any."""
    pairs = contrasts(run.kept, "tissue")
    together = pairs[pairs["studies"] != ""]
    tissues = {*pairs["first"], *pairs["second"]} - {*together["first"], *together["second"]}
    subtypes = pairs_without_common_batch(
        contrasts(run.kept, "subtype").to_dict("records"), "subtype"
    )
    sentences = []
    if tissues:
        named = ", ".join(sorted(tissues))
        facts.add("confounding", "tissues that share no batch with another", named)
        sentences.append(
            f"These tissues never occur in the same study and source as another one: {named}."
        )
    if subtypes:
        named = "; ".join(subtypes)
        facts.add("confounding", "subtypes of a tissue in no common batch", named)
        sentences.append(
            f"These subtypes of one tissue never occur in the same study and source: {named}."
        )
    if not sentences:
        return []
    sentences.append(
        "What tells them apart may be how their numbers were made, and this data cannot say."
    )
    for head in ("tissue", "subtype"):
        if found := _within_batch(run, facts, head):
            sentences.append(
                f"Within a batch the {head} is called with a balanced accuracy of {found}."
            )
    return [
        pages.heading("What to beware of: tissue, subtype and batch"),
        pages.paragraph(" ".join(sentences), "warning"),
    ]


def _visible_study(run: Run, facts: Facts) -> list[str]:
    """How well a linear model tells studies apart by expression, before and after correction."""
    wide = before_and_after(run.diagnostics)
    if "predicted_study" not in wide.index or wide.loc["predicted_study"].isna().any():
        return []
    before, after = wide.loc["predicted_study", ["before", "after"]].astype(float)
    chance = 1 / run.kept["study"].nunique()
    facts.add("confounding", "study predicted from expression, chance", chance)
    return [
        "From expression alone a linear model names the study with a balanced accuracy of "
        f"{before:.3f} before the batch correction and {after:.3f} after it ({chance:.3f} would be "
        "chance): "
        + (
            "the study is still there for a network to see."
            if after - chance > 0.1 * (1 - chance)
            else "little of the study is left to see."
        )
    ]


def _conclusion(run: Run, facts: Facts) -> list[str]:
    """What the state within a batch, where the batch gives nothing away, allows to conclude."""
    found = _within_batch(run, facts, "disease_state")
    if not found:
        return []
    return [
        f"Asked only among the states that a sample's own study and source hold, so that knowing "
        f"these does not help, the state is called with a balanced accuracy of {found}. What "
        "can be concluded is the former. The latter may be quoted for samples of these studies "
        "only: how often a state is called right that its study alone could give away is not known "
        "until another study has that state, too."
    ]


def _within_batch(run: Run, facts: Facts, head: str) -> str:
    """The balanced accuracy within a batch, beside that for all classes; '' if not asked."""
    scored = run.metrics[run.metrics["model"] == DEEP].set_index(["head", "metric"])
    asked = (within(head), "balanced_accuracy")
    if asked not in scored.index:
        return ""
    value, low, high = scored.loc[asked, ["value", "low", "high"]].astype(float)
    everywhere = float(scored.loc[(head, "balanced_accuracy"), "value"])
    facts.add("confounding", f"balanced accuracy, {head_title(within(head)).lower()}", value)
    return f"{pages.with_interval(value, low, high)}, beside {everywhere:.3f} for all together"


def _cohort(run: Run, facts: Facts) -> list[str]:
    table = split_table(run.kept, {head: run.classes[head] for head in HEADS})
    return [
        pages.heading("What it was trained on"),
        *(
            pages.table(
                table[table["head"] == head].drop(columns="head"),
                f"{head_title(head)}: samples by split",
            )
            for head in HEADS
            if len(run.classes[head])
        ),
    ]


def _quality(run: Run, facts: Facts) -> list[str]:
    if run.qc is None:
        return [
            pages.heading("Quality"),
            pages.paragraph("The cohort comes from matrices alone: no reads, no quality control."),
        ]
    dropped = run.qc[~run.qc["kept"].astype(bool)]
    facts.add("quality", "samples checked", len(run.qc))
    facts.add("quality", "samples excluded", len(dropped))
    parts = [
        pages.heading("Quality"),
        pages.paragraph(f"{len(dropped)} of {len(run.qc)} samples from reads were excluded."),
    ]
    if len(dropped):
        shown = [column for column in ("sample", "mrin", "reason") if column in dropped]
        parts.append(pages.table(dropped[shown]))
    return parts


def _genes(run: Run, facts: Facts) -> list[str]:
    for row in run.datasets.itertuples():
        facts.add("genes", f"recognised, {row.dataset}", row.recognised)
    return [
        pages.heading("Genes"),
        pages.paragraph(
            f"{run.genes:,} genes are common to all datasets. The last column tells how many "
            "there would be without that dataset."
        ),
        pages.table(run.datasets),
    ]


def _correction(run: Run, facts: Facts) -> list[str]:
    table = run.diagnostics
    wide = before_and_after(table)
    for measure, row in wide.iterrows():
        for stage in ("before", "after"):
            facts.add("correction", f"{measure}, {stage}", row[stage])
    used = table.loc[table["measure"] == "surrogate_variables", "value"]
    number = int(float(used.iloc[0])) if len(used) else 0
    facts.add("correction", "surrogate variables", number)
    shown = wide.rename_axis(columns=None).reset_index()
    shown["measure"] = [measure_title(str(name)) for name in shown["measure"]]
    removed = "variable was" if number == 1 else "variables were"
    text = (
        f"{number} surrogate {removed} removed."
        if number
        else "Nothing was removed: the correction uses no surrogate variable."
    )
    return [
        pages.heading("Batch correction"),
        pages.paragraph(text),
        *(
            pages.paragraph(str(note), "warning")
            for note in table.loc[table["stage"] == "note", "value"]
        ),
        pages.table(shown),
    ]


def _truth(run: Run, facts: Facts) -> list[str]:
    """Checks against the simulated truth: who should have been excluded, and calls above chance."""
    if run.truth is None:
        return []
    truth = run.truth.set_index("sample")
    bad = truth["degraded"].astype(bool) | truth["empty"].astype(bool)
    excluded = ~truth.index.isin(run.kept.index)
    checks = [
        ("degraded samples", int(truth["degraded"].astype(bool).sum())),
        ("degraded samples excluded", int((truth["degraded"].astype(bool) & excluded).sum())),
        ("empty samples", int(truth["empty"].astype(bool).sum())),
        ("empty samples excluded", int((truth["empty"].astype(bool) & excluded).sum())),
        ("intact samples", int((~bad).sum())),
        ("intact samples excluded", int((~bad & excluded).sum())),
    ]
    shown: list[tuple[str, str]] = [(name, pages.number(value)) for name, value in checks]
    for name, value in checks:
        facts.add("truth", name, value)
    ours = run.metrics[(run.metrics["model"] == DEEP) & (run.metrics["metric"] == "accuracy")]
    test = run.kept[run.kept["split"] == "test"]
    for head in HEADS:
        accuracy = ours.loc[ours["head"] == head, "value"]
        labels = test.loc[test[head] != "", head]
        if accuracy.empty or labels.empty:
            continue
        chance = float(labels.value_counts(normalize=True).max())
        facts.add("truth", f"test accuracy, {head}", float(accuracy.iloc[0]))
        facts.add("truth", f"share of the most frequent class, {head}", chance)
        shown.append(
            (
                f"{head_title(head)}: test calls right, against always naming the commonest class",
                f"{float(accuracy.iloc[0]):.3f} against {chance:.3f}",
            )
        )
    return [
        pages.heading("The simulation's truth"),
        pages.paragraph("The demo cohort is simulated; this is what should come out, and did."),
        pages.table(pd.DataFrame(shown, columns=["check", "found"])),
    ]
