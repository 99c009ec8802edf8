"""Evaluation protocols: splits, gain by leaks, and scores outside."""

from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from reading import MARKUP, Page, render_page
from tissuestate.cohort.split import fold_samples
from tissuestate.errors import InputError
from tissuestate.h5ad import read_features, write_h5ad
from tissuestate.models.training import Hyperparameters, Recipe
from tissuestate.protocols import results
from tissuestate.protocols.features import prepare_features
from tissuestate.protocols.models import Training, predict_models
from tissuestate.protocols.page import protocol_facts, summarise_protocols
from tissuestate.protocols.splits import FITTED_ON_ALL, split_for_protocol
from tissuestate.report.figures.intervals import left_out_intervals
from tissuestate.report.render import with_interval

STATES = ("non-neoplastic", "peri-neoplastic", "neoplastic")
CLASSES = {
    "disease_state": list(STATES),
    "tissue": ["kidney", "liver", "lung"],
    "subtype": [],
    "subtypes_of": {},
}
SETTINGS = {
    "normalisation": "cpm",
    "correction": {"method": "none", "n_sv": "auto", "design": ["tissue"], "engine": "native"},
    "features": {"components": 20, "forest_genes": 10},
    "seed": 1,
    "threads": 1,
}
OPTIONS = {"folds": 3, "validation": 0.2, "seed": 4}


@pytest.fixture(scope="module")
def cohort() -> anndata.AnnData:
    """GTEx gives healthy, TCGA gives the rest; TCGA's donors give two samples, quantified twice.

    A donor's samples share a strong signature of their own; genes of tissue and state shift less.
    """
    rng = np.random.default_rng(0)
    rows = []
    for number in range(36):
        tissue = CLASSES["tissue"][number % 3]
        if number % 2:
            rows.append((f"d{number}", "GTEx", "g", tissue, STATES[0]))
            continue
        for source in ("a", "b"):
            for state in STATES[1:]:
                rows.append((f"d{number}", "TCGA", source, tissue, state))
    columns = ["donor", "study", "source", "tissue", "disease_state"]
    obs = pd.DataFrame(rows, columns=columns, index=[f"s{i}" for i in range(len(rows))])
    obs["project"] = obs["study"] + "-" + obs["tissue"]
    obs["subtype"], obs["unit"], obs["split"] = "", "count", "train"
    values = rng.normal(5, 0.3, (len(obs), 60))
    own = {donor: rng.normal(0, 1.0, 40) for donor in obs["donor"].unique()}
    values[:, :40] += np.array([own[donor] for donor in obs["donor"]])
    values[np.arange(len(obs)), 40 + pd.factorize(obs["tissue"])[0]] += 1.5
    values[np.arange(len(obs)), 50 + pd.factorize(obs["disease_state"])[0]] += 1.5
    return anndata.AnnData(np.exp2(values).astype(np.float32), obs=obs)


def parts(cohort, protocol, seed=1):
    return [
        split_for_protocol(cohort.obs, protocol, f"seed{seed}.fold{k}", **OPTIONS)
        for k in (1, 2, 3)
    ]


@pytest.mark.parametrize("protocol", FITTED_ON_ALL)
def test_every_sample_is_tested_once(cohort, protocol):
    splits = parts(cohort, protocol)
    assert (sum((split == "test").astype(int) for split in splits) == 1).all()
    for split in splits:
        assert set(split) == {"train", "validation", "test"}


def sides(cohort, split, column) -> int:
    """How many values of a column are among test samples and among the others."""
    tested = split == "test"
    return len(set(cohort.obs.loc[tested, column]) & set(cohort.obs.loc[~tested, column]))


def test_donors_stay_together_unless_that_is_the_leak(cohort):
    for protocol in ("crossvalidation", "correction", "features"):
        assert [sides(cohort, split, "donor") for split in parts(cohort, protocol)] == [0, 0, 0]
    for protocol in ("random", "paper", "duplicates"):
        assert min(sides(cohort, split, "donor") for split in parts(cohort, protocol)) > 0
    within = cohort.obs["donor"].astype(str) + cohort.obs["source"].astype(str)
    by_source = cohort.copy()
    by_source.obs["pair"] = within
    assert [sides(by_source, split, "pair") for split in parts(cohort, "duplicates")] == [0, 0, 0]


def test_seeds_give_other_folds_and_the_same_seed_the_same(cohort):
    one, again, other = (parts(cohort, "crossvalidation", seed)[0] for seed in (1, 1, 2))
    assert one.equals(again) and not one.equals(other)


def test_folds_are_stratified_and_independent_of_the_order(cohort):
    obs = cohort.obs.astype(str)
    folds = fold_samples(obs, 3, seed=2)
    counts = pd.crosstab(folds, obs["tissue"] + obs["disease_state"])
    assert (counts.max() - counts.min()).max() <= 4  # a donor of TCGA brings two of a state
    shuffled = obs.sample(frac=1, random_state=0)
    assert fold_samples(shuffled, 3, seed=2).reindex(obs.index).equals(folds)
    with pytest.raises(InputError, match="37 folds of 36 donors"):
        fold_samples(obs, 37)


def test_a_part_left_out_shares_no_donor_with_training(cohort):
    split = split_for_protocol(cohort.obs, "project", "TCGA-liver", **OPTIONS)
    assert set(cohort.obs.loc[split == "test", "project"]) == {"TCGA-liver"}
    assert sides(cohort, split, "donor") == 0
    # Source b quantifies the donors of source a again: they take no part.
    split = split_for_protocol(cohort.obs, "source", "b", **OPTIONS)
    assert set(cohort.obs.loc[split == "", "source"]) == {"a"}
    assert set(cohort.obs.loc[split == "train", "source"]) == {"g"}


@pytest.mark.parametrize(
    ("protocol", "part"),
    [("crossvalidation", "seed1.fold2"), ("source", "b"), ("paper", "seed1.fold1")],
)
def test_samples_of_no_class_take_no_part(cohort, protocol, part):
    obs = cohort.obs.astype(str)
    others = obs.iloc[::5].assign(tissue="other", disease_state="", subtype="")
    both = pd.concat([obs, others.rename(index="o{}".format)])
    split = split_for_protocol(both, protocol, part, **OPTIONS)
    assert (split[len(obs) :] == "").all()
    pd.testing.assert_series_equal(
        split[: len(obs)], split_for_protocol(obs, protocol, part, **OPTIONS)
    )


def test_genes_that_a_sample_lacks_are_estimated(cohort):
    split = parts(cohort, "crossvalidation")[0]
    sparse = cohort.copy()
    sparse.X[::4, ::6] = np.nan
    features = prepare_features(sparse, split, ["pca"], **SETTINGS)["pca"]
    assert np.isfinite(features.X).all()


def test_a_part_with_all_samples_cannot_be_left_out(cohort, caplog):
    obs = cohort.obs.assign(study="one")
    assert (split_for_protocol(obs, "study", "one", **OPTIONS) == "").all()
    assert "too few donors" in caplog.text


def test_without_training_samples_nothing_is_called(cohort, tmp_path):
    nothing = pd.Series("", index=cohort.obs_names)
    write_h5ad(tmp_path / "pca.h5ad", prepare_features(cohort, nothing, ["pca"], **SETTINGS)["pca"])
    features = {"pca": read_features(tmp_path / "pca.h5ad")}
    predict_models(features, ["dl_pca"], CLASSES, training()).to_csv(
        tmp_path / "none.tsv", sep="\t"
    )
    called = results.read_protocols([tmp_path / "none.tsv"])
    options = {"resamples": 100, "seed": 0}
    tables = {
        "crossvalidation": results.compare_crossvalidated(called, CLASSES, "dl_pca", **options)
    }
    tables["leaks"] = results.compare_leaks(called, CLASSES, "dl_pca", **options)
    names = ("outside", "outside_classes", "outside_mistakes")
    tables |= dict(zip(names, results.score_outside(called, CLASSES, **options), strict=True))
    assert all(table.empty for table in tables.values())
    assert not any(summarise_protocols(tables).values())
    tables["outside_false_tumours"] = results.count_false_tumours(called)
    facts = protocol_facts(tables, searched=False)
    assert not any(facts[name] for name in ("crossvalidation", "leaks", "outside", "seen"))
    assert "<h2>" not in page_of(facts)


def test_only_the_leak_lets_test_samples_into_a_fit(cohort):
    split = parts(cohort, "crossvalidation")[0]
    changed = cohort.copy()
    changed.X[(split == "test").to_numpy()] *= np.linspace(1, 9, cohort.n_vars, dtype=np.float32)
    kept = (split != "test").to_numpy()
    for protocol, same in (("crossvalidation", True), ("features", False)):
        options = {**SETTINGS, "on_all": FITTED_ON_ALL[protocol]}
        one, two = (
            prepare_features(data, split, ["pca"], **options)["pca"] for data in (cohort, changed)
        )
        assert np.allclose(one.X[kept], two.X[kept]) is same
    assert one.obs["split"].tolist() == split.tolist()


def training(**changes) -> Training:
    chosen = Hyperparameters(0.01, 8, (16,) * 5, 0.0)
    settings = {"search": {}, "epochs": 12, "recipe": Recipe(), "seed": 1, "device": "cpu"}
    return Training(hyperparameters={"multitask.pca": chosen}, **settings | changes)


def calls_of(cohort, protocol, part, models=("dl_pca", "logreg")) -> pd.DataFrame:
    split = split_for_protocol(cohort.obs, protocol, part, **OPTIONS)
    data = prepare_features(
        cohort, split, ["pca"], **SETTINGS, on_all=FITTED_ON_ALL.get(protocol, ())
    )
    features = {"pca": (np.asarray(data["pca"].X), data["pca"].obs.astype(str))}
    table = predict_models(features, models, CLASSES, training())
    return table.assign(protocol=protocol, part=part)


@pytest.fixture(scope="module")
def calls(cohort) -> pd.DataFrame:
    parts = [(p, f"seed1.fold{k}") for p in ("crossvalidation", "random") for k in (1, 2, 3)]
    parts += [("study", "GTEx"), ("study", "TCGA")]
    return pd.concat([calls_of(cohort, *one) for one in parts], ignore_index=True)


def test_the_leak_of_a_random_split_is_found_and_measured(calls):
    """Donors' own signatures help only if their other samples are in training."""
    table = results.compare_leaks(calls, CLASSES, "logreg", resamples=200, seed=0)
    found = table.set_index(["leak", "head", "metric"]).loc[("random", "tissue", "accuracy")]
    honest = table.set_index(["leak", "head", "metric"]).loc[
        ("crossvalidation", "tissue", "accuracy")
    ]
    assert found["n"] == honest["n"] == 90
    assert found["difference"] > 0.05 and found["difference_low"] > 0
    assert found["value"] - honest["value"] == pytest.approx(found["difference"])


def test_models_are_compared_on_pooled_folds(calls):
    table = results.compare_crossvalidated(calls, CLASSES, "dl_pca", resamples=100, seed=0)
    assert set(table["model"]) == {"dl_pca", "logreg"}
    assert (table.loc[table["head"] == "tissue", "n"] == 90).all()
    within = table[table["head"] == "disease_state_within_batch"]
    assert (within["n"] == 72).all()  # TCGA alone holds two states


def test_only_classes_in_training_are_scored_outside(calls):
    metrics, by_class, wrong = results.score_outside(calls, CLASSES, resamples=100, seed=0)
    # GTEx is all non-neoplastic, which TCGA lacks: the state cannot be scored, the tissue can.
    assert set(metrics["head"]) == {"tissue"}
    assert set(metrics["part"]) == {"GTEx", "TCGA"}
    assert set(by_class["class"]) == set(CLASSES["tissue"])
    states = wrong[(wrong["head"] == "disease_state") & (wrong["part"] == "GTEx")]
    assert (states["trained"].astype(str) == "False").all()
    assert states.groupby("model")["count"].sum().eq(18).all()
    assert set(states["called"]) <= set(STATES[1:])


def tables_of(calls: pd.DataFrame, resamples: int = 100) -> dict[str, pd.DataFrame]:
    """All that the page shows."""
    options = {"resamples": resamples, "seed": 0}
    names = ("outside", "outside_classes", "outside_mistakes")
    return {
        "crossvalidation": results.compare_crossvalidated(calls, CLASSES, "dl_pca", **options),
        "leaks": results.compare_leaks(calls, CLASSES, "dl_pca", **options),
        **dict(zip(names, results.score_outside(calls, CLASSES, **options), strict=True)),
        "outside_false_tumours": results.count_false_tumours(calls),
    }


def page_of(facts: dict[str, Any]) -> str:
    """The page with its pictures."""
    pictures = {row["column"]: left_out_intervals(row["accuracies"]) for row in facts["outside"]}
    return render_page("protocols.html.j2", {**facts, "pictures": pictures})


def test_samples_called_right_are_counted_by_part_left_out(calls):
    facts = protocol_facts(tables_of(calls, resamples=20), searched=False)
    (section,) = facts["outside"]
    table = section["accuracies"].set_index(["head", "part", "model"])
    ours = calls[(calls["model"] == "dl_pca") & (calls["part"] == "TCGA")]
    right = (ours["tissue_call"] == ours["tissue_true"]).sum()
    assert table.loc[("tissue", "TCGA", "dl_pca"), "right"] == right
    assert table.loc[("tissue", "", "dl_pca"), "samples"] == 90
    (other,) = facts["totals"]["study"]  # no part left out scores states or subtypes
    parts_left_out = table.loc["tissue"].drop("").xs("dl_pca", level="model")
    assert other == {"head": "tissue", **parts_left_out.sum().to_dict()}
    assert "TCGA, DL PCA" in page_of(facts)


def test_the_page_shows_every_score_and_recall(calls):
    tables = tables_of(calls)
    facts = protocol_facts(tables, searched=False)
    found = {(row["part"], row["head"]): row for row in facts["seen"]}["GTEx", "tissue"]
    recall = tables["outside_classes"].set_index(["part", "model", "class"])["recall"]
    kidney = next(row for row in found["classes"] if row["name"] == "kidney")
    right = round(6 * recall["GTEx", "dl_pca", "kidney"])
    assert (kidney["right"], kidney["samples"]) == (right, 6)
    text = Page(page_of(facts)).text
    assert f"kidney {right} of 6" in text
    for row in facts["crossvalidation"]["scores"]:
        assert with_interval(row["value"], row["low"], row["high"]) in text
    leak = facts["leaks"]["cells"]["random"]["tissue"]
    assert leak["has_leak"] and f"{leak['difference']:+.3f} (" in text
    assert Page(page_of(facts | {"searched": True})).text != text


def test_healthy_tissue_called_tumour_is_counted_by_part(calls):
    tables = tables_of(calls)
    facts = protocol_facts(tables, searched=False)
    gtex, tcga = facts["false_tumours"]
    assert (gtex["column"], gtex["part"], gtex["state"]) == ("study", "GTEx", STATES[0])
    assert (tcga["part"], tcga["state"]) == ("TCGA", STATES[1])
    ours = calls[(calls["protocol"] == "study") & (calls["model"] == "dl_pca")]
    for row, samples in ((gtex, 18), (tcga, 36)):
        own = ours[(ours["part"] == row["part"]) & (ours["disease_state_true"] == row["state"])]
        wrong = (own["disease_state_call"] == STATES[2]).sum()
        assert row["samples"] == len(own) == samples and row["called"]["dl_pca"] == wrong
        assert sum(called for _, called, _ in row["tissues"]) == wrong
    text = Page(page_of(facts)).text
    assert f"{gtex['called']['logreg']} of 18" in text
    assert results.count_false_tumours(calls.drop(columns="disease_state_true")).empty


def test_heads_without_a_score_are_listed(calls):
    (section,) = protocol_facts(tables_of(calls), searched=False)["outside"]
    assert section["column"] == "study" and section["models"] == ["dl_pca", "logreg"]
    assert [(row["head"], row["is_every_part"]) for row in section["not_scored"]] == [
        ("disease_state", True),
        ("subtype", True),
    ]
    inside, *outside = section["rows"]
    assert (inside["part"], inside["classes"], inside["head"]) == ("", None, "tissue")
    assert [row["part"] for row in outside] == ["GTEx", "TCGA"]


def test_calls_of_classes_outside_training_are_listed(calls):
    unseen = protocol_facts(tables_of(calls), searched=False)["unseen"]
    # A state that only GTEx has: all 18 samples are called one of the others.
    (gtex,) = (row for row in unseen if (row["part"], row["name"]) == ("GTEx", STATES[0]))
    assert {name for name, _ in gtex["calls"]["named"]} <= set(STATES[1:])
    assert sum(number for _, number in gtex["calls"]["named"]) == 18
    assert gtex["calls"]["others"] == 0


def test_calls_beyond_the_most_frequent_are_summed(calls):
    tables = tables_of(calls)
    wrong = pd.DataFrame({"called": list("abcdefg"), "count": [9, 8, 7, 6, 5, 4, 3]})
    about = {"protocol": "study", "part": "GTEx", "model": "dl_pca", "head": "tissue"}
    tables["outside_mistakes"] = wrong.assign(true="kidney", trained="True", **about)
    facts = protocol_facts(tables, searched=False)
    kidney = next(row for row in facts["seen"][0]["classes"] if row["name"] == "kidney")
    assert [name for name, _ in kidney["wrong"]["named"]] == list("abcde")
    assert kidney["wrong"]["others"] == 7
    assert "(a 9, b 8, c 7, d 6, e 5, others 7)" in Page(page_of(facts)).text


def test_a_head_that_the_network_lacks_has_only_other_models(calls):
    """Without a validation sample that has a label the network is not trained, a baseline is."""
    without = (calls["model"] == "dl_pca") & (calls["part"] == "GTEx")
    fewer = calls.assign(tissue_trained=calls["tissue_trained"].mask(without, False))
    facts = protocol_facts(tables_of(fewer, resamples=50), searched=False)
    row = next(row for row in facts["outside"][0]["rows"] if row["part"] == "GTEx")
    assert row["head"] == "tissue" and list(row["scores"]) == ["logreg"]
    assert "<td>not trained</td>" in page_of(facts)


def test_markup_in_names_is_shown_as_text(calls):
    def page(name: str) -> Page:
        named = calls.replace({"part": {"GTEx": name}})
        tables = tables_of(named, resamples=20)
        for table in ("outside_classes", "outside_mistakes"):
            tables[table] = tables[table].replace({"kidney": name})
        return Page(page_of(protocol_facts(tables, searched=False)))

    plain, marked = page("ANAME"), page(f"A{MARKUP}")
    assert marked.elements == plain.elements
    assert marked.text == plain.text.replace("NAME", MARKUP)
    assert MARKUP in marked.text


def test_the_summary_of_protocols_has_parts_left_out_and_gains_by_leaks(calls):
    tables = tables_of(calls.replace({"protocol": {"random": "paper"}}))
    found = summarise_protocols(tables)
    values = tables["crossvalidation"].set_index(["model", "head", "metric"])["value"]
    accuracies = {row["head"]: row["value"] for row in found["crossvalidation"]}
    assert accuracies["tissue"] == values["dl_pca", "tissue", "balanced_accuracy"]
    gained = tables["leaks"].set_index(["leak", "head", "metric"])["difference"]
    gains = {row["head"]: row["difference"] for row in found["gains"]}
    assert gains["tissue"] == gained["paper", "tissue", "balanced_accuracy"]
    assert [(part["column"], part["name"]) for part in found["outside"]] == [
        ("study", "GTEx"),
        ("study", "TCGA"),
    ]
    one = tables["outside_classes"].query("part != 'GTEx' or `class` == 'lung'")
    gtex, tcga = summarise_protocols({**tables, "outside_classes": one})["outside"]
    assert [part["heads"][0]["only_class"] for part in (gtex, tcga)] == ["lung", ""]
    nothing = {name: table.iloc[:0] for name, table in tables.items()}
    assert not any(summarise_protocols(nothing).values())


def test_sections_without_results_are_left_out(calls):
    honest = calls[calls["protocol"] == "crossvalidation"]
    options = {"resamples": 100, "seed": 0}
    metrics, by_class, wrong = results.score_outside(honest, CLASSES, **options)
    assert len(metrics) == len(by_class) == len(wrong) == 0
    table = results.compare_crossvalidated(honest, CLASSES, "dl_pca", **options)
    tables = {"crossvalidation": table, "leaks": table.rename(columns={"model": "leak"})}
    found = summarise_protocols({**tables, "outside": metrics, "outside_classes": by_class})
    assert found["crossvalidation"] and not found["gains"] and not found["outside"]
    only = calls[calls["protocol"] == "study"]
    assert results.compare_crossvalidated(only, CLASSES, "dl_pca", **options).empty


def test_without_chosen_hyperparameters_a_search_finds_them(cohort):
    split = parts(cohort, "crossvalidation")[0]
    data = prepare_features(cohort, split, ["pca"], **SETTINGS)["pca"]
    space = {
        "learning_rate": [1e-3, 1e-2],
        "batch_size": [8, 16],
        "width": [4, 8],
        "dropout": [0.0, 0.1],
        "optimizer": ["adam"],
        "activation": ["relu"],
    }
    search = {"space": space, "evaluations": 2, "epochs": 1}
    found = predict_models(
        {"pca": (np.asarray(data.X), data.obs.astype(str))},
        ["dl_pca"],
        CLASSES,
        Training(**{**training(search=search, epochs=1).__dict__, "hyperparameters": {}}),
    )
    assert len(found) == (split == "test").sum()
