"""Scores of a laboratory left out: nothing of it, and no test sample, has a part in the model."""

import anndata
import numpy as np
import pandas as pd
import pytest
from laboratory_samples import CLASSES, features, labels
from tissuestate.arrays import save_arrays
from tissuestate.laboratories.left_out import Candidate, candidates, read_scores, score_left_out

CORRECTION = {"design": ["tissue", "disease_state"], "engine": "native"}


def make_cohort(sparse: bool = False) -> anndata.AnnData:
    """Counts of five laboratories; each has test samples; C has a file of fewer genes if sparse."""
    obs = labels()
    shifts = {name: np.random.default_rng(ord(name)).normal(0, 0.5, 40) for name in "ABCDE"}
    counts = np.round(200 * 2.0 ** features(obs, shifts)).astype(np.float32)
    obs = obs.assign(unit="count", split="train", project="")
    obs.loc[obs.groupby(["laboratory", "tissue"]).cumcount() % 4 == 3, "split"] = "test"
    obs.loc[obs["tissue"] == "other", "split"] = "background"
    if sparse:
        counts[np.ix_((obs["laboratory"] == "C").to_numpy(), range(30, 40))] = np.nan
    return anndata.AnnData(counts, obs=obs)


def score(cohort: anndata.AnnData, n_sv: int = 0, laboratory: str = "B") -> dict[str, pd.DataFrame]:
    candidate = Candidate("upper-quartile", "supervised" if n_sv else "none", n_sv)
    names, scores = score_left_out(
        cohort, laboratory, CLASSES, [candidate], correction=CORRECTION, seed=1
    )
    own = scores[candidate.name]
    return {question: pd.DataFrame(values, names) for question, values in own.items()}


def spoil(cohort: anndata.AnnData, rows: np.ndarray) -> anndata.AnnData:
    """The cohort with other values and labels of some samples."""
    changed = cohort.copy()
    rng = np.random.default_rng(0)
    changed.X[rows] = rng.permuted(changed.X[rows], axis=1) * 3
    for column in ("tissue", "disease_state", "subtype"):
        values = changed.obs[column].to_numpy(str).copy()
        values[rows] = rng.permutation(values[rows])
        changed.obs[column] = values
    return changed


@pytest.mark.parametrize(("sparse", "n_sv"), [(False, 0), (True, 2)])
def test_no_sample_of_the_laboratory_and_no_test_sample_changes_the_scores(sparse, n_sv):
    cohort = make_cohort(sparse)
    obs = cohort.obs
    before = score(cohort, n_sv)
    asked = (obs["laboratory"] == "B") & (obs["split"] != "test")
    assert before["tissue"].index.tolist() == obs.index[asked].tolist()
    kept = before["tissue"].index[:3]
    others = (
        ((obs["laboratory"] == "B") | (obs["split"] == "test")) & ~obs.index.isin(kept)
    ).to_numpy()
    after = score(spoil(cohort, others), n_sv)
    for question, scores in before.items():
        np.testing.assert_allclose(
            after[question].loc[kept], scores.loc[kept], atol=1e-12, rtol=1e-12
        )
    one = obs.index.get_indexer(["A0"])
    moved = score(spoil(cohort, one), n_sv)
    assert not np.allclose(moved["tissue"].loc[kept], before["tissue"].loc[kept]), "A trains"


def test_its_own_labels_are_not_read():
    cohort = make_cohort()
    before = score(cohort)
    changed = cohort.copy()
    own = (changed.obs["laboratory"] == "B").to_numpy()
    for column in ("tissue", "disease_state", "subtype"):
        values = changed.obs[column].to_numpy(str).copy()
        values[own] = values[own][::-1]
        changed.obs[column] = values
    for question, scores in score(changed).items():
        pd.testing.assert_frame_equal(scores, before[question], rtol=1e-12)


def test_what_a_donor_of_the_laboratory_gave_to_another_is_not_trained_on():
    cohort = make_cohort()
    shared = cohort.obs.index[(cohort.obs["laboratory"] == "A").to_numpy()][:2]
    own = cohort.obs.index[(cohort.obs["laboratory"] == "B").to_numpy()][0]
    cohort.obs["donor"] = cohort.obs["donor"].astype(str)
    cohort.obs.loc[shared, "donor"] = cohort.obs.loc[own, "donor"]
    before = score(cohort)
    after = score(spoil(cohort, cohort.obs.index.get_indexer(shared)))
    for question, scores in before.items():
        pd.testing.assert_frame_equal(after[question], scores, rtol=1e-12)


def test_a_tissue_that_no_other_laboratory_has_is_dropped_and_no_class_is_not():
    cohort = make_cohort()
    elsewhere = (cohort.obs["laboratory"] != "B") & (cohort.obs["tissue"] == "liver")
    cohort = cohort[~elsewhere.to_numpy()].copy()
    found = cohort.obs.loc[score(cohort)["tissue"].index]
    assert set(found["tissue"]) == {"kidney", "other"}
    alone = make_cohort()
    alone = alone[((alone.obs["laboratory"] == "B") | (alone.obs["tissue"] != "other")).to_numpy()]
    assert "other" in set(alone.obs.loc[score(alone.copy())["tissue"].index, "tissue"])


def test_a_laboratory_of_test_samples_alone_has_no_scores(tmp_path):
    cohort = make_cohort()
    cohort.obs["split"] = cohort.obs["split"].where(cohort.obs["laboratory"] != "B", "test")
    empty = score(cohort)
    assert not len(empty["tissue"])
    for name, scores in (("B", empty), ("C", score(cohort, laboratory="C"))):
        arrays = {f"x|{question}": table.to_numpy() for question, table in scores.items()}
        arrays["samples"] = scores["tissue"].index.to_numpy(str)
        save_arrays(tmp_path / f"{name}.npz", arrays)
    samples, read = read_scores([tmp_path / "B.npz", tmp_path / "C.npz"], ["x"])
    assert samples == scores["tissue"].index.tolist()
    assert {question: values.shape for question, values in read["x"].items()} == {
        question: table.shape for question, table in scores.items()
    }


def test_tables_fit_together_although_one_laboratory_has_all_subtypes(tmp_path):
    cohort = make_cohort()
    only = cohort.obs["subtype"].where(cohort.obs["laboratory"] == "B", "")
    cohort.obs["subtype"] = only
    paths = []
    for name in "BC":
        scores = score(cohort, laboratory=name)
        arrays = {f"x|{question}": table.to_numpy() for question, table in scores.items()}
        paths.append(tmp_path / f"{name}.npz")
        save_arrays(paths[-1], {**arrays, "samples": scores["tissue"].index.to_numpy(str)})
    samples, read = read_scores(paths, ["x"])
    own = np.array([name[0] == "B" for name in samples])
    assert not read["x"]["subtype"][own].any() and read["x"]["subtype"][~own].any()


def test_the_config_restricts_what_is_tried():
    names = [one.name for one in candidates("auto", {"method": "auto", "n_sv": "auto"})]
    assert names == [
        "upper-quartile",
        "upper-quartile + 10 supervised",
        "cpm",
        "cpm + 10 supervised",
    ]
    fixed = candidates("tmm", {"method": "two-step", "n_sv": 3})
    assert [one.name for one in fixed] == ["tmm + 3 two-step"]
