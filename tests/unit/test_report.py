"""The run on one page: the truth about the run, whichever way it went."""

import numpy as np
import pandas as pd
import pytest
from tissuestate import pages
from tissuestate.composition import contrasts, cramers_v, split_table
from tissuestate.report import Run, summarise, winners

CLASSES = {
    "disease_state": ["non-neoplastic", "peri-neoplastic", "neoplastic"],
    "tissue": ["kidney", "liver"],
    "subtype": ["kirc"],
}


def cohort(study_of_state: dict[str, str]) -> pd.DataFrame:
    rows = []
    for number, (state, study) in enumerate(list(study_of_state.items()) * 4):
        split = ("train", "train", "validation", "test")[number // len(study_of_state)]
        tissue = CLASSES["tissue"][number % 2]
        subtype = "kirc" if state == "neoplastic" else ""
        rows.append((f"s{number}", f"d{number}", study, state, tissue, subtype, split))
    columns = ["sample", "donor", "study", "disease_state", "tissue", "subtype", "split"]
    return pd.DataFrame(rows, columns=columns).set_index("sample")


HEADS = {"disease_state": 0.9, "disease_state_within_batch": 0.7, "tissue": 0.8}
CONFOUNDED = {"non-neoplastic": "GTEx", "peri-neoplastic": "TCGA", "neoplastic": "TCGA"}


@pytest.fixture
def run():
    kept = cohort(CONFOUNDED)
    metrics = pd.DataFrame(
        [
            (model, head, metric, value, value - 0.02, value + 0.02, 3)
            for model, heads in (("dl_pca", HEADS), ("logreg", HEADS | {"tissue": 0.81}))
            for head, value in heads.items()
            for metric in ("accuracy", "balanced_accuracy", "auc")
        ],
        columns=["model", "head", "metric", "value", "low", "high", "n"],
    )
    chosen = metrics["metric"] == "balanced_accuracy"
    benchmark = metrics[chosen].rename(columns={"value": "balanced_accuracy"})
    comparison = metrics[metrics["model"] == "logreg"].assign(
        difference=0.01, difference_low=-0.002, difference_high=0.02, p=0.1
    )
    qc = pd.DataFrame(
        {
            "sample": ["s0", "bad"],
            "mrin": [0.01, -0.4],
            "kept": [True, False],
            "reason": ["", "mRIN -0.4 < -0.11"],
        }
    )
    datasets = pd.DataFrame(
        {"dataset": ["reads"], "genes": [300], "recognised": [290], "id_type": ["ensembl"]}
    )
    diagnostics = pd.DataFrame(
        [
            ("before", "predicted_source", "1"),
            ("after", "predicted_source", "0.5"),
            ("before", "predicted_study", "1"),
            ("after", "predicted_study", "0.97"),
            ("after", "surrogate_variables", "3"),
            ("note", "message", "the correction removes biology"),
        ],
        columns=["stage", "measure", "value"],
    )
    return Run(
        kept=kept,
        qc=qc,
        datasets=datasets,
        genes=300,
        diagnostics=diagnostics,
        classes=CLASSES,
        metrics=metrics,
        benchmark=benchmark,
        comparison=comparison,
    )


def fact(facts: pd.DataFrame, section: str, item: str):
    return facts.set_index(["section", "item"]).loc[(section, item), "value"]


def replaced(run: Run, **changes) -> Run:
    return Run(**{**run.__dict__, **changes})


def test_what_sets_cover_and_what_abstaining_leaves_is_told(run):
    assert "How far to trust a call" not in summarise(run)[0]
    columns = ["head", "tissue", "samples", "coverage", "low", "high", "size"]
    rows = [("tissue", "", 273, 0.91, 0.88, 0.95, 1.1), ("tissue", "liver", 30, 0.5, 0, 1, 1)]
    answered = pd.DataFrame(
        [("tissue", "confidence", 1.0, 0.9), ("tissue", "abstention", 0.967, 0.996)],
        columns=["head", "rule", "share", "accuracy"],
    )
    html, facts = summarise(
        replaced(run, sets=pd.DataFrame(rows, columns=columns), answered=answered)
    )
    assert "0.910 (0.880–0.950)" in html
    assert fact(facts, "trust", "share answered, tissue") == 0.967
    assert fact(facts, "trust", "accuracy of the answers, tissue") == 0.996


def test_a_classical_model_that_wins_is_said_before_any_number(run):
    html, facts = summarise(run)
    sentence = "For tissue of origin, logistic regression on PCs scores higher than DL PCA"
    assert sentence in html
    assert html.index(sentence) < html.index("How good on test samples")
    assert "interval of the difference -0.002 to 0.020), within the uncertainty" in html
    assert "For disease state, DL PCA is best or shares the first place." in html
    assert fact(facts, "benchmark", "best model, tissue") == "logreg"


def test_a_clear_defeat_is_called_one(run):
    run.comparison["difference_low"] = 0.003
    assert "0.003 to 0.020), by more than the uncertainty of the test set" in summarise(run)[0]


def test_a_defeat_in_cross_validation_is_said_as_early(run):
    folds = pd.DataFrame(
        [("dl_pca", "tissue", np.nan, np.nan), ("logreg", "tissue", 0.001, 0.03)],
        columns=["model", "head", "difference_low", "difference_high"],
    ).assign(metric="balanced_accuracy", value=0.9, low=0.8, high=1.0, difference=0.015)
    empty = folds.iloc[:0].assign(leak="", protocol="", part="")
    tables = {"leaks": empty, "outside": empty, "outside_classes": empty}
    beaten = replaced(run, protocols={"crossvalidation": folds, **tables})
    sentence = "higher than DL PCA for tissue of origin, by 0.015 (95 % interval 0.001 to 0.030)."
    html = summarise(beaten)[0]
    assert html.index(sentence) < html.index("How good on test samples")
    folds["difference_low"] = -0.001
    assert "Cross-validated by donors, logistic" not in summarise(beaten)[0]


def test_confounding_is_spelt_out_with_the_contrast_that_can_be_learnt(run):
    html, facts = summarise(run)
    assert "Non-neoplastic and neoplastic never occur in the same study and source" in html
    assert "Peri-neoplastic and neoplastic both occur in TCGA (8 samples)" in html
    assert fact(facts, "confounding", "Cramér's V, study and disease state") == pytest.approx(1)


def test_the_state_within_a_batch_is_what_can_be_concluded(run):
    html, facts = summarise(run)
    assert "balanced accuracy of 0.700 (0.680–0.720), beside 0.900 for all together" in html
    assert fact(facts, "confounding", "balanced accuracy, disease state, within a batch") == 0.7
    crossed = run.metrics[run.metrics["head"] != "disease_state_within_batch"]
    assert "Asked only among the states" not in summarise(replaced(run, metrics=crossed))[0]


def test_a_study_that_can_still_be_seen_is_said_to_be(run):
    seen = "balanced accuracy of 1.000 before the batch correction and 0.970 after it"
    assert seen in summarise(run)[0]
    assert "the study is still there for a network to see" in summarise(run)[0]
    after = (run.diagnostics["measure"] == "predicted_study") & (
        run.diagnostics["stage"] == "after"
    )
    run.diagnostics.loc[after, "value"] = "0.53"
    assert "little of the study is left to see" in summarise(run)[0]


def test_without_confounding_there_is_no_such_warning(run):
    kept = pd.concat(
        [cohort(dict.fromkeys(CONFOUNDED, study)).add_prefix(study, axis=0) for study in "AB"]
    )
    html, facts = summarise(replaced(run, kept=kept))
    assert "never occur" not in html
    assert fact(facts, "confounding", "Cramér's V, study and disease state") == pytest.approx(0)


def test_exclusions_carry_their_reason(run):
    html, facts = summarise(run)
    assert "1 of 2 samples from reads were excluded" in html
    assert "mRIN -0.4 &lt; -0.11" in html
    assert fact(facts, "quality", "samples excluded") == 1


def test_a_cohort_of_matrices_has_no_quality_table(run):
    assert "no reads, no quality control" in summarise(replaced(run, qc=None))[0]


def test_correction_before_and_after(run):
    html, facts = summarise(run)
    assert fact(facts, "correction", "predicted_source, before") == 1
    assert fact(facts, "correction", "predicted_source, after") == 0.5
    assert fact(facts, "correction", "surrogate variables") == 3
    assert "3 surrogate variables were removed" in html
    assert "source predicted from expression" in html
    assert '<p class="warning">the correction removes biology</p>' in html


def test_truth_of_a_simulation_is_counted(run):
    truth = pd.DataFrame(
        {
            "sample": [*run.kept.index, "bad", "void", "lost"],
            "degraded": [False] * len(run.kept) + [True, False, False],
            "empty": [False] * len(run.kept) + [False, True, False],
        }
    )
    facts = summarise(replaced(run, truth=truth))[1]
    assert fact(facts, "truth", "degraded samples excluded") == 1
    assert fact(facts, "truth", "empty samples excluded") == 1
    assert fact(facts, "truth", "intact samples excluded") == 1  # 'lost' should have been kept
    assert fact(facts, "truth", "intact samples") == len(run.kept) + 1
    assert fact(facts, "truth", "test accuracy, tissue") == pytest.approx(0.8)
    assert fact(facts, "truth", "share of the most frequent class, tissue") == pytest.approx(2 / 3)


def test_donors_on_both_sides_are_a_warning(run):
    kept = run.kept.assign(donor="one")
    html, facts = summarise(replaced(run, kept=kept))
    assert "1 donors have samples on several sides" in html
    assert fact(facts, "cohort", "donors on several sides of the split") == 1


def test_cramers_v_of_a_table_worked_by_hand():
    # 2 × 2 with cells 3, 1, 1, 3: chi-squared 2 of n 8, so V = sqrt(2 / 8).
    first = pd.Series(list("aaaabbbb"))
    second = pd.Series(list("xxxyxyyy"))
    assert cramers_v(first, second) == pytest.approx(0.5)


def test_contrasts_name_every_pair_of_states_once():
    found = contrasts(cohort(CONFOUNDED))
    assert list(zip(found["first"], found["second"], strict=True)) == [
        ("non-neoplastic", "peri-neoplastic"),
        ("non-neoplastic", "neoplastic"),
        ("peri-neoplastic", "neoplastic"),
    ]


def two_kidneys(run: Run) -> Run:
    """Two subtypes of kidney, each from a source of its own; liver from one of these alone."""
    kept = run.kept.assign(source="a")
    tumour = kept["disease_state"] == "neoplastic"
    kept.loc[tumour, "tissue"] = "kidney"
    kept.loc[tumour, "subtype"] = ["kirc", "kirp"] * 2
    kept.loc[kept["subtype"] == "kirp", "source"] = "b"
    kept.loc[kept["tissue"] == "liver", ["study", "source"]] = "X", "c"
    return replaced(run, kept=kept, classes={**CLASSES, "subtype": ["kirc", "kirp"]})


def test_subtypes_are_contrasted_within_a_tissue_and_a_batch(run):
    found = contrasts(two_kidneys(run).kept, "subtype").to_dict("records")
    assert found == [
        {"head": "subtype", "first": "kirc", "second": "kirp", "studies": "", "samples": 0}
    ]


def test_classes_that_no_batch_holds_together_are_named(run):
    assert "tissue, subtype and batch" not in summarise(run)[0]
    html, facts = summarise(two_kidneys(run))
    assert "These subtypes of one tissue never occur in the same study and source: kirc and" in html
    assert "These tissues never occur in the same study and source as another one: kidney" in html
    assert fact(facts, "confounding", "subtypes of a tissue in no common batch") == "kirc and kirp"


def test_split_table_counts_each_class():
    table = split_table(cohort(CONFOUNDED), CLASSES).set_index(["head", "class"])
    assert table.loc[("disease_state", "neoplastic")].tolist() == [2, 1, 1, 4]


def test_winners_prefer_the_network_on_a_tie():
    table = pd.DataFrame(
        {"model": ["svm", "dl_pca"], "head": "tissue", "balanced_accuracy": [0.9, 0.9]}
    )
    assert winners(table)["best"].tolist() == ["dl_pca"]


def test_pages_escape_what_they_are_given():
    nasty = "<script>alert('x')</script>"
    frame = pd.DataFrame({nasty: [nasty]})
    html = pages.page(
        nasty,
        [
            pages.heading(nasty),
            pages.paragraph(nasty),
            pages.items([nasty]),
            pages.table(frame, nasty),
            pages.bars({nasty: 0.5}),
            pages.picture(b"", nasty),
        ],
    )
    assert "<script" not in html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234, "1,234"),
        (0.12345, "0.123"),
        (12345.6, "12,346"),
        (np.nan, ""),
        (True, "yes"),
        ("a", "a"),
    ],
)
def test_numbers_as_readers_want_them(value, text):
    assert pages.number(value) == text
