"""The run on one page: facts for every outcome of a run."""

import numpy as np
import pandas as pd
import pytest
from reading import MARKUP, Page, render_page
from tissuestate.cohort.composition import contrasts, cramers_v, split_table
from tissuestate.report.figures.intervals import accuracy_intervals
from tissuestate.report.laboratories import BRIEF
from tissuestate.report.summary import Run, summary_facts
from tissuestate.report.summary_table import tabulate_summary

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
    kept = pd.DataFrame(rows, columns=columns).set_index("sample")
    return kept.assign(laboratory=kept["study"])


HEADS = {"disease_state": 0.9, "disease_state_within_batch": 0.7, "tissue": 0.8}
CONFOUNDED = {"non-neoplastic": "GTEx", "peri-neoplastic": "TCGA", "neoplastic": "TCGA"}


@pytest.fixture
def run():
    kept = cohort(CONFOUNDED)
    metrics = pd.DataFrame(
        [
            (model, head, metric, value, value - 0.02, value + 0.02, 10)
            for model, heads in (("dl_pca", HEADS), ("logreg", HEADS | {"tissue": 0.81}))
            for head, value in heads.items()
            for metric in ("accuracy", "balanced_accuracy", "auc")
        ],
        columns=["model", "head", "metric", "value", "low", "high", "n"],
    )
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
        samples=kept,
        qc=qc,
        datasets=datasets,
        genes=300,
        diagnostics=diagnostics,
        classes=CLASSES,
        called="dl_pca",
        metrics=metrics,
        confusion=pd.DataFrame(
            [
                ("tissue", "kidney", "kidney", 3),
                ("tissue", "kidney", "liver", 2),
                ("tissue", "liver", "liver", 5),
                ("tissue_within_batch", "kidney", "liver", 9),
            ],
            columns=["head", "true", "called", "count"],
        ),
        comparison=comparison,
        sex={"samples": 12, "expressed": 0, "stated": 0, "contradicted": []},
    )


def item(run: Run, section: str, name: str):
    """A number of the table."""
    table = tabulate_summary(summary_facts(run)).set_index(["section", "item"])
    return table.loc[(section, name), "value"]


def write_page(facts: dict) -> str:
    rows = facts["accuracy"]["rows"]
    given = {"plot": accuracy_intervals(rows), "confusion": "", "links": {"paper": "paper.html"}}
    return render_page("summary.html.j2", given | facts)


def page_of(run: Run) -> Page:
    return Page(write_page(summary_facts(run)))


def replaced(run: Run, **changes) -> Run:
    return Run(**{**run.__dict__, **changes})


def with_trust(run: Run) -> Run:
    columns = ["head", "tissue", "samples", "coverage", "low", "high", "size"]
    rows = [("tissue", "", 273, 0.91, 0.88, 0.95, 1.1), ("tissue", "liver", 30, 0.5, 0, 1, 1)]
    answered = pd.DataFrame(
        [
            ("tumour", "abstention", 0.984, 0.992),
            ("tissue", "confidence", 1.0, 0.9),
            ("tissue", "abstention", 0.967, 0.996),
        ],
        columns=["head", "rule", "share", "accuracy"],
    )
    return replaced(run, sets=pd.DataFrame(rows, columns=columns), abstention=answered)


def test_samples_of_no_class_are_counted_and_change_nothing_else(run):
    others = run.samples.assign(tissue="other", disease_state="", subtype="", split="background")
    both = replaced(run, samples=pd.concat([run.samples, others.rename(index="o{}".format)]))
    alone, facts = summary_facts(run), summary_facts(both)
    assert facts["cohort"].pop("no_class") == len(others)
    assert alone["cohort"].pop("no_class") == 0
    assert repr(facts) == repr(alone)
    assert "12 more samples have no class" in page_of(both).text


def test_the_summary_has_coverage_of_sets_and_share_answered(run):
    assert summary_facts(run)["trust"] is None
    measured = with_trust(run)
    assert summary_facts(measured)["trust"] == [
        {
            "head": "tissue",
            "coverage": 0.91,
            "low": 0.88,
            "high": 0.95,
            "size": 1.1,
            "share": 0.967,
            "accuracy": 0.996,
            "samples": 273,
        }
    ]
    assert item(measured, "trust", "share answered, tissue") == 0.967
    assert item(measured, "trust", "accuracy of the answers, tumour") == 0.992
    assert "Tumour or not: 98.4% of the test samples are answered, 99.2%" in page_of(measured).text
    assert item(measured, "trust", "accuracy of the answers, tissue") == 0.996


def test_right_and_asked_are_counted_and_open_the_page(run):
    found = summary_facts(run)["accuracy"]
    counts = [(row["question"], row["right"], row["samples"]) for row in found["tests"]]
    assert counts == [("tissue", 8, 10), ("disease_state", 9, 10)]
    assert item(run, "test samples", "right, tissue") == 8
    assert item(run, "test samples", "asked, tissue") == 10
    page = page_of(run)
    assert page.text.index("8 of 10 (44–97 %)") < page.text.index("What is confused")
    assert "within chance of each other" in page.text


def test_models_differ_only_if_their_intervals_lie_apart(run):
    alike = summary_facts(run)["accuracy"]
    assert alike["alike"] and alike["better"] == alike["worse"] == {}
    run.metrics.loc[run.metrics["model"] == "logreg", "n"] = 1000
    run.metrics.loc[run.metrics["model"] == "dl_pca", "n"] = 1000
    chosen = (run.metrics["model"] == "logreg") & (run.metrics["metric"] == "accuracy")
    run.metrics.loc[chosen & (run.metrics["head"] == "tissue"), "value"] = 0.9
    apart = summary_facts(run)["accuracy"]
    assert not apart["alike"] and apart["better"] == {"tissue": ["logreg"]}
    swapped = summary_facts(replaced(run, called="logreg"))["accuracy"]
    assert swapped["worse"] == {"tissue": ["dl_pca"]} and swapped["better"] == {}


def test_what_was_left_out_stands_beside_the_test_samples(run):
    assert summary_facts(run)["accuracy"]["left_out"] == []
    tables = outside("X")
    metrics = tables["outside"].assign(metric="accuracy", n=200)
    parts = pd.concat([metrics.assign(value=0.25), metrics.assign(value=0.05, part="Y")])
    measured = replaced(run, protocols=tables | {"outside": parts})
    (part,) = summary_facts(measured)["accuracy"]["left_out"]
    tissue, state = part["counts"]
    assert (tissue["right"], tissue["samples"], state) == (60, 400, None)
    assert part["weaker"] == ["tissue"]
    assert "60 of 400" in page_of(measured).text
    assert item(measured, "samples left out", "right, tissue, studies left out") == 60


def test_a_subtype_counts_as_right_with_its_tissue(run):
    heads = {"subtype": 1.0, "subtype_tandem": 0.5}
    rows = [("dl_pca", head, "accuracy", value, 0, 1, 4) for head, value in heads.items()]
    more = pd.DataFrame(rows, columns=run.metrics.columns)
    both = replaced(run, metrics=pd.concat([run.metrics, more]))
    assert item(both, "test samples", "right, subtype") == 2


def test_confusions_are_named_with_their_class(run):
    assert summary_facts(run)["confusions"] == [
        {"head": "tissue", "true": "kidney", "called": "liver", "count": 2, "samples": 5}
    ]
    assert "2 of 5 kidney: called liver" in page_of(run).text


def test_few_samples_and_holes_are_named(run):
    few = {row["class"]: (row["train"], row["test"]) for row in summary_facts(run)["few"]}
    assert few["kirc"] == (2, 1) and len(few) == 6
    some = run.samples[
        run.samples[["tissue", "disease_state"]].ne(["liver", "neoplastic"]).any(axis=1)
    ]
    holes = summary_facts(replaced(run, samples=some))["laboratories"]["holes"]
    assert holes == [("liver", "neoplastic")]
    many = replaced(run, samples=pd.concat([run.samples] * 10, ignore_index=True))
    assert summary_facts(many)["few"] == []


def test_samples_of_another_sex_than_stated_are_named(run):
    row = {"sample": "s7", "tissue": "kidney", "sex": "female", "sex_expressed": "XY"}
    swapped = replaced(run, sex=run.sex | {"expressed": 12, "contradicted": [row]})
    assert "s7 kidney female XY" in page_of(swapped).text
    assert item(swapped, "sex", "samples that contradict it or their tissue") == 1
    assert "s7" not in page_of(run).text


def test_only_pages_of_this_run_are_linked(run):
    page = write_page(summary_facts(run))
    assert page.count("<a href=") == 1 and 'href="paper.html"' in page


def test_a_model_better_in_cross_validation_is_a_fact(run):
    folds = pd.DataFrame(
        [("dl_pca", "tissue", np.nan, np.nan), ("logreg", "tissue", 0.001, 0.03)],
        columns=["model", "head", "difference_low", "difference_high"],
    ).assign(metric="balanced_accuracy", value=0.9, low=0.8, high=1.0, difference=0.015)
    empty = folds.iloc[:0].assign(leak="", protocol="", part="")
    tables = {"leaks": empty, "outside": empty, "outside_classes": empty}
    beaten = replaced(run, protocols={"crossvalidation": folds, **tables})
    fact = {"head": "tissue", "model": "logreg", "difference": 0.015, "low": 0.001, "high": 0.03}
    assert summary_facts(beaten)["better_models"] == [fact]
    assert "0.001 to 0.030" in page_of(beaten).text
    folds["difference_low"] = -0.001
    assert summary_facts(beaten)["better_models"] == []


def test_pairs_of_states_have_the_studies_that_hold_both(run):
    pairs = summary_facts(run)["confounding"]["pairs"]
    assert [(p["first"], p["second"], p["studies"], p["samples"]) for p in pairs] == [
        ("non-neoplastic", "peri-neoplastic", "", 0),
        ("non-neoplastic", "neoplastic", "", 0),
        ("peri-neoplastic", "neoplastic", "TCGA", 8),
    ]
    assert item(run, "confounding", "Cramér's V, study and disease state") == pytest.approx(1)


def test_the_score_of_the_state_within_a_batch_is_a_fact(run):
    within = {"value": 0.7, "low": pytest.approx(0.68), "high": 0.72, "everywhere": 0.9}
    assert summary_facts(run)["within_batch"] == {"disease_state": within}
    assert item(run, "confounding", "balanced accuracy, disease state, within a batch") == 0.7
    crossed = run.metrics[run.metrics["head"] != "disease_state_within_batch"]
    unscored = replaced(run, metrics=crossed)
    assert summary_facts(unscored)["within_batch"] == {}


def test_a_study_that_is_still_predictable_is_a_fact(run):
    seen = {"before": 1.0, "after": 0.97, "chance": 0.5, "is_visible": True}
    assert summary_facts(run)["confounding"]["study_predicted"] == seen
    after = (run.diagnostics["measure"] == "predicted_study") & (
        run.diagnostics["stage"] == "after"
    )
    run.diagnostics.loc[after, "value"] = "0.53"
    assert not summary_facts(run)["confounding"]["study_predicted"]["is_visible"]


def test_without_confounding_there_is_no_warning(run):
    kept = pd.concat(
        [cohort(dict.fromkeys(CONFOUNDED, study)).add_prefix(study, axis=0) for study in "AB"]
    )
    free = replaced(run, samples=kept)
    assert all(pair["studies"] == "A, B" for pair in summary_facts(free)["confounding"]["pairs"])
    assert item(free, "confounding", "Cramér's V, study and disease state") == pytest.approx(0)

    assert "Study and disease state." in page_of(run).text
    assert "Study and disease state." not in page_of(free).text


def test_one_study_has_no_association(run):
    alone = replaced(run, samples=run.samples.assign(study="GTEx"))
    assert summary_facts(alone)["confounding"]["association"] is None
    assert "Cramér" not in page_of(alone).text


def test_exclusions_carry_their_reason(run):
    quality = summary_facts(run)["quality"]
    assert quality["checked"] == 2
    assert quality["excluded"]["reason"].tolist() == ["mRIN -0.4 < -0.11"]
    assert "mRIN -0.4 < -0.11" in page_of(run).text
    assert item(run, "quality", "samples excluded") == 1


def test_a_cohort_of_matrices_has_no_quality_table(run):
    matrices = replaced(run, qc=None)
    assert summary_facts(matrices)["quality"] is None
    assert "quality" not in set(tabulate_summary(summary_facts(matrices))["section"])
    tables = [[tag for tag, *_ in page_of(r).elements].count("table") for r in (run, matrices)]
    assert tables[0] - tables[1] == 1


def test_correction_before_and_after(run):
    assert item(run, "correction", "predicted_source, before") == 1
    assert item(run, "correction", "predicted_source, after") == 0.5
    assert item(run, "correction", "surrogate variables") == 3
    correction = summary_facts(run)["correction"]
    assert correction["notes"] == ["the correction removes biology"]
    assert [row["measure"] for row in correction["measures"]] == [
        "predicted_source",
        "predicted_study",
    ]
    assert "the correction removes biology" in page_of(run).text


def test_laboratories_left_out_are_in_the_summary_or_their_absence_is_said(run):
    assert summary_facts(run)["left_out"] is None
    assert "No laboratory was left out, which needs at least 4" in page_of(run).text
    score = {"value": 0.875, "samples": 40, "laboratories": 3}
    row = {"question": "tissue", "inside": 0.011, "outside": 0.044}
    healthy = pd.DataFrame({"laboratory": ["Ulm"], "samples": 9, "called": 2, "probable": 3})
    brief = {
        "scores": dict.fromkeys(BRIEF, score),
        "samples": 60,
        "laboratories": 4,
        "calibration": [row],
        "healthy": healthy,
    }
    facts = summary_facts(run) | {"left_out": brief}
    accuracy = facts["accuracy"] | {"left_out": [{"kind": "x", "counts": [None] * 2, "weaker": []}]}
    text = Page(write_page(facts | {"accuracy": accuracy})).text
    for shown in ("0.875", "0.011", "0.044", "2 of 9 of Ulm"):
        assert shown in text
    assert "No laboratory was left out" not in text
    table = tabulate_summary(facts).set_index(["section", "item"])["value"]
    assert table["laboratories left out", "tumour right"] == 0.875
    assert table["laboratories left out", "calibration error outside, tissue"] == 0.044


def with_truth(run: Run) -> Run:
    samples = len(run.samples)
    truth = pd.DataFrame(
        {
            "sample": [*run.samples.index, "bad", "void", "lost"],
            "degraded": [False] * samples + [True, False, False],
            "empty": [False] * samples + [False, True, False],
        }
    )
    return replaced(run, truth=truth)


def test_truth_of_a_simulation_is_counted(run):
    simulated = with_truth(run)
    assert item(simulated, "truth", "degraded samples excluded") == 1
    assert item(simulated, "truth", "empty samples excluded") == 1
    assert item(simulated, "truth", "intact samples excluded") == 1  # 'lost' should be kept
    assert item(simulated, "truth", "intact samples") == len(run.samples) + 1
    assert item(simulated, "truth", "test accuracy, tissue") == pytest.approx(0.8)
    chance = item(simulated, "truth", "share of the most frequent class, tissue")
    assert chance == pytest.approx(2 / 3)
    assert f"0.800 against {chance:.3f}" in page_of(simulated).text


def test_donors_on_both_sides_are_counted(run):
    shared = replaced(run, samples=run.samples.assign(donor="one"))
    assert summary_facts(run)["cohort"]["shared_donors"] == 0
    assert summary_facts(shared)["cohort"]["shared_donors"] == 1
    assert item(shared, "cohort", "donors on several sides of the split") == 1


def test_whole_numbers_stay_whole_without_a_text_among_them(run):
    table = tabulate_summary(summary_facts(run))
    assert table.loc[table["item"] == "donors", "value"].map(str).tolist() == ["12"]


def outside(name: str) -> dict[str, pd.DataFrame]:
    """The protocols' tables of a study and a class of that name, left out of training."""
    about = {"protocol": "study", "part": name, "model": "dl_pca", "head": "tissue"}
    score = {"metric": "balanced_accuracy", "value": 0.5, "low": 0.4, "high": 0.6}
    metrics = pd.DataFrame([about | score])
    folds = metrics.assign(difference_low=np.nan)
    leaks = metrics.iloc[:0].assign(leak="")
    classes = pd.DataFrame([about | {"class": name, "recall": 0.5, "support": 3}])
    return {
        "crossvalidation": folds,
        "leaks": leaks,
        "outside": metrics,
        "outside_classes": classes,
    }


def test_every_section_shows_markup_in_names_as_text(run):
    def page(name: str) -> Page:
        kept = two_kidneys(run).samples
        kept = kept.replace(
            {"study": {"TCGA": name}, "tissue": {"liver": name}, "subtype": {"kirp": name}}
        )
        given = replaced(
            with_truth(with_trust(run)),
            samples=kept,
            classes=CLASSES | {"tissue": ["kidney", name], "subtype": ["kirc", name]},
            qc=run.qc.assign(sample=name, reason=name),
            datasets=run.datasets.assign(dataset=name),
            diagnostics=run.diagnostics.replace({"the correction removes biology": name}),
            protocols=outside(name),
        )
        return page_of(given)

    plain, marked = page("zNAME"), page(f"z{MARKUP}")  # both last in every order
    assert marked.elements == plain.elements
    assert marked.text == plain.text.replace("NAME", MARKUP)
    assert marked.text.count(MARKUP) > 12


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
    kept = run.samples.assign(source="a")
    tumour = kept["disease_state"] == "neoplastic"
    kept.loc[tumour, "tissue"] = "kidney"
    kept.loc[tumour, "subtype"] = ["kirc", "kirp"] * 2
    kept.loc[kept["subtype"] == "kirp", "source"] = "b"
    kept.loc[kept["tissue"] == "liver", ["study", "source"]] = "X", "c"
    return replaced(run, samples=kept, classes={**CLASSES, "subtype": ["kirc", "kirp"]})


def test_subtypes_are_contrasted_within_a_tissue_and_a_batch(run):
    found = contrasts(two_kidneys(run).samples, "subtype").to_dict("records")
    assert found == [
        {"head": "subtype", "first": "kirc", "second": "kirp", "studies": "", "samples": 0}
    ]


def test_classes_that_no_batch_holds_together_are_named(run):
    assert summary_facts(run)["batches"] == {"tissues": [], "subtypes": []}
    confounded = two_kidneys(run)
    batches = summary_facts(confounded)["batches"]
    assert batches["subtypes"] == [("kirc", "kirp")]
    assert batches["tissues"] == ["kidney", "liver"]
    found = item(confounded, "confounding", "subtypes of a tissue in no common batch")
    assert found == "kirc and kirp"
    text = page_of(confounded).text
    assert "kirc and kirp." in text and "kidney, liver." in text


def test_split_table_counts_each_class():
    table = split_table(cohort(CONFOUNDED), CLASSES).set_index(["head", "class"])
    assert table.loc[("disease_state", "neoplastic")].tolist() == [2, 1, 1, 4]
