"""Surrogate variable correction: equality with Bioconductor, frozen use, faults, effect."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits
from tissuestate.arrays import load_arrays, save_arrays
from tissuestate.errors import InputError
from tissuestate.expression import bioconductor, choice
from tissuestate.expression import surrogates as surrogate
from tissuestate.expression.correction import SurrogateVariableCorrection, design_matrix
from tissuestate.expression.diagnostics import Measures
from tissuestate.expression.krylov import Operator, leading_vectors
from tissuestate.expression.surrogates import Plan

pytestmark = pytest.mark.slow

STATES = ["non-neoplastic", "peri-neoplastic", "neoplastic"]
METHODS = ("irw", "two-step", "supervised")


def simulated(
    samples: int, genes: int, classes: int, seed: int, batch: float = 1.0
) -> tuple[np.ndarray, pd.DataFrame]:
    """Log expression: a tenth of the genes marks classes, half carry one of two hidden factors."""
    rng = np.random.default_rng(seed)
    obs = pd.DataFrame(
        {"tissue": rng.permutation(np.resize([f"t{i}" for i in range(classes)], samples))}
    )
    obs["source"] = np.where(rng.random(samples) < 0.4, "a", "b")
    markers = rng.normal(0, 2, (classes, genes)) * (rng.random(genes) < 0.1)
    codes = obs["tissue"].str[1:].astype(int).to_numpy()
    carriers = rng.random((2, genes)) < 0.5
    hidden = np.column_stack([obs["source"] == "a", rng.normal(size=samples)])
    Y = rng.normal(6, 1.5, genes) + markers[codes] + rng.normal(0, 0.5, (samples, genes))
    Y += batch * hidden @ (carriers * rng.normal(0, 1, (2, genes)))
    return Y, obs


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """A busy machine makes threads of two BLAS libraries wait for each other."""
    bioconductor.local_fdr(np.linspace(0.01, 0.99, 99))
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def real(data) -> tuple[np.ndarray, pd.DataFrame]:
    """Samples of two pipelines, many of them the same specimens: log2 expression and labels."""
    folder = data / "tcga_gtex"
    sheet = pd.read_csv(folder / "samples.tsv", sep="\t", keep_default_na=False)
    sheet = sheet[sheet["source"].isin(["rnaseqdb", "metagsca"])]
    tables, parts = {}, []
    for name in sheet["file"].unique():
        table = pd.read_csv(folder / name, sep="\t", index_col=0)
        table = table.drop(columns="Entrez_Gene_Id", errors="ignore").dropna()
        if "metagsca" in name:
            table = np.exp2(table) - 1
        tables[name] = table.groupby(level=0).sum()
    genes = sorted(set.intersection(*[set(table.index) for table in tables.values()]))
    for name, table in tables.items():
        rows = sheet[sheet["file"] == name]
        counts = np.maximum(table.loc[genes, rows["sample"]].to_numpy().T, 0)
        quartile = [np.percentile(row[row > 0], 75) for row in counts]
        parts.append((np.log2(1000 * counts / np.array(quartile)[:, None] + 1), rows))
    Y = np.concatenate([part for part, _ in parts])
    obs = pd.concat([rows for _, rows in parts])
    obs = obs.rename(columns={"sample": "specimen"}).reset_index(drop=True)
    return Y[:, Y.std(axis=0) > 0], obs


def agrees_with_r(Y: np.ndarray, model: np.ndarray, method: str, n_sv: int, share: float = 0.3):
    centred = Y - Y.mean(axis=0)
    plan = Plan(method, n_sv, share)
    fit = surrogate.estimate_surrogates(centred, model, plan, "native", 0)
    controls = None
    if method == "supervised":
        controls = surrogate.control_genes(centred, model, share)
    surrogates, gamma, beta = bioconductor.svaseq(Y, model, n_sv, method, controls)
    assert fit.surrogates.shape == surrogates.shape
    signs = np.sign(np.einsum("ij,ij->j", fit.surrogates, surrogates))
    weights = gamma if beta is None else gamma * (1 - beta)
    pairs = {"surrogates": (fit.surrogates * signs, surrogates), "weights": (fit.weights, weights)}
    for name, (ours, theirs) in pairs.items():
        print(f"{method}, {Y.shape}: {name} differ by {np.abs(ours - theirs).max():.1e} at most")
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    return fit


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("samples", "classes", "n_sv"), [(60, 2, 2), (90, 6, 3), (150, 15, 4)])
def test_equals_bioconductor_on_simulations(method, samples, classes, n_sv):
    Y, obs = simulated(samples, 600, classes, seed=samples)
    model = design_matrix(obs[["tissue"]])[0]
    assert model.shape[1] == classes
    fit = agrees_with_r(Y, model, method, n_sv)
    centred = Y - Y.mean(axis=0)
    np.testing.assert_allclose(centred @ fit.loadings, fit.surrogates, atol=1e-9)


@pytest.mark.parametrize("method", ["two-step", "supervised"])
def test_equals_bioconductor_without_a_design(method):
    Y, _ = simulated(80, 600, 2, seed=5)
    agrees_with_r(Y, np.ones((80, 1)), method, 2)


@pytest.mark.parametrize("method", ["two-step", "supervised"])
def test_fewer_variables_are_the_first_of_more(method):
    Y, obs = simulated(60, 600, 3, seed=8)
    centred, model = Y - Y.mean(axis=0), design_matrix(obs[["tissue"]])[0]
    many = surrogate.estimate_surrogates(centred, model, Plan(method, 12, 0.3), "native", 0)
    numbers = set()
    for n_sv in (1, 2, 3, 5, 8, 12):
        fewer = many.leading(n_sv)
        alone = surrogate.estimate_surrogates(centred, model, Plan(method, n_sv, 0.3), "native", 0)
        assert fewer.surrogates.shape == alone.surrogates.shape
        signs = np.sign(np.einsum("ij,ij->j", fewer.surrogates, alone.surrogates))
        np.testing.assert_allclose(fewer.surrogates * signs, alone.surrogates, atol=1e-8)
        np.testing.assert_allclose(fewer.loadings * signs, alone.loadings, atol=1e-8)
        np.testing.assert_array_equal(fewer.weights, alone.weights)
        numbers.add(fewer.surrogates.shape[1])
    assert len(numbers) > 1


def test_irw_without_a_design_protects_nothing_where_r_fails():
    Y, _ = simulated(80, 600, 2, seed=5)
    with pytest.raises(InputError, match="Bioconductor sva failed"):
        bioconductor.svaseq(Y, np.ones((80, 1)), 2, "irw")
    fit = surrogate.fit_irw(Y - Y.mean(axis=0), np.ones((80, 1)), 2)
    assert fit.weights.max() > 0.99


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("samples", "columns", "genes"),
    [
        (100, ["disease_state"], 3000),
        (400, ["tissue", "disease_state"], 2000),
        (900, ["study"], 1200),
    ],
)
def test_equals_bioconductor_on_real_samples(real, method, samples, columns, genes):
    Y, obs = real
    rng = np.random.default_rng(samples)
    rows = rng.permutation(len(Y))[:samples]
    Y = Y[np.ix_(rows, rng.permutation(Y.shape[1])[:genes])]
    Y = np.ascontiguousarray(Y[:, Y.std(axis=0) > 0])
    model = design_matrix(obs.loc[rows, columns])[0]
    agrees_with_r(Y, model, method, 3)


def test_vectors_beyond_the_dense_size_are_those_of_a_full_decomposition():
    rng = np.random.default_rng(3)
    centred = rng.normal(size=(700, 900)) * np.append([9, 8, 7, 6, 5, 4], np.ones(894))
    centred -= centred.mean(axis=0)
    weights = rng.random(900)
    values, vectors = leading_vectors(Operator(centred, weights), 6, rng)
    u, s, _ = np.linalg.svd(centred * weights, full_matrices=False)
    np.testing.assert_allclose(values, s[:6] ** 2, rtol=1e-10)
    np.testing.assert_allclose(np.abs(np.sum(vectors * u[:, :6], axis=0)), 1, atol=1e-10)


def f_pvalue(Y: np.ndarray, model: np.ndarray, null: np.ndarray) -> np.ndarray:
    """`sva::f.pvalue` of every gene (column) of Y, samples × genes, for nested designs."""
    from rpy2 import rinterface

    function = rinterface.evalr("sva::f.pvalue")
    return bioconductor._array(
        function(
            bioconductor._matrix(Y), bioconductor._matrix(model.T), bioconductor._matrix(null.T)
        )
    )


def test_f_statistics_are_those_of_bioconductor():
    Y, obs = simulated(70, 300, 4, seed=2)
    model = design_matrix(obs[["tissue"]])[0]
    hidden = np.linalg.qr(np.random.default_rng(0).normal(size=(70, 2)))[0]
    centred = Y - Y.mean(axis=0)
    basis = surrogate.model_basis(model)
    f_design, f_hidden = surrogate.f_statistics(centred, basis, hidden)
    null = np.column_stack([np.ones(70), hidden])
    np.testing.assert_allclose(
        bioconductor.f_tail(f_design, 3, 64),
        f_pvalue(Y, np.column_stack([model, hidden]), null),
        atol=1e-11,
    )
    np.testing.assert_allclose(
        bioconductor.f_tail(f_hidden, 2, 67), f_pvalue(Y, null, np.ones((70, 1))), atol=1e-11
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_r_engine_corrects_like_the_native_one(method):
    Y, obs = simulated(70, 400, 3, seed=7)
    native, r = (
        SurrogateVariableCorrection(method, 2, engine=engine).fit(Y, obs[["tissue"]]).transform(Y)
        for engine in ("native", "r")
    )
    np.testing.assert_allclose(native, r, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_training_sample_alone_gets_its_training_values(method):
    Y, obs = simulated(90, 500, 3, seed=11)
    correction = SurrogateVariableCorrection(method, 2).fit(Y, obs[["tissue"]])
    assert correction.n_sv_ == 2
    # what sva's users do in training: regress on [design, surrogates], subtract the latter's part
    model = np.column_stack([design_matrix(obs[["tissue"]])[0], correction.surrogates_])
    gamma = np.linalg.lstsq(model, Y, rcond=None)[0][-2:]
    corrected = Y - correction.surrogates_ @ gamma
    alone = np.concatenate([correction.transform(row[None]) for row in Y])
    np.testing.assert_allclose(alone, corrected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bytes_of_a_sample_do_not_depend_on_other_samples(dtype):
    Y, obs = simulated(1000, 333, 3, seed=12)
    Y = Y.astype(dtype)
    correction = SurrogateVariableCorrection("supervised", 3).fit(Y[:80], obs.loc[:79, ["tissue"]])
    together = correction.transform(Y)
    assert together.dtype == dtype
    order = np.random.default_rng(0).permutation(1000)
    assert together[order].tobytes() == correction.transform(Y[order]).tobytes()
    for i in range(0, 1000, 97):
        assert correction.transform(Y[i : i + 1]).tobytes() == together[i].tobytes()


def test_saving_and_loading_changes_nothing(tmp_path):
    Y, obs = simulated(80, 300, 3, seed=13)
    correction = SurrogateVariableCorrection(seed=4).fit(Y, obs[["tissue"]], obs=obs)
    save_arrays(tmp_path / "correction.npz", correction.to_arrays())
    loaded = SurrogateVariableCorrection.from_arrays(load_arrays(tmp_path / "correction.npz"))
    assert loaded.transform(Y).tobytes() == correction.transform(Y).tobytes()
    assert loaded.messages_ == correction.messages_
    assert (loaded.method_, loaded.n_sv_) == (correction.method_, correction.n_sv_)
    pd.testing.assert_frame_equal(loaded.trials_, correction.trials_)
    save_arrays(tmp_path / "again.npz", loaded.to_arrays())
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "correction.npz").read_bytes()


def test_a_fitted_correction_needs_no_r():
    code = (
        "import sys; sys.modules['rpy2'] = None\n"
        "import numpy as np, pandas as pd\n"
        "from tissuestate.expression.correction import SurrogateVariableCorrection as S\n"
        "Y = np.random.default_rng(0).normal(size=(30, 50))\n"
        "d = pd.DataFrame({'tissue': ['a', 'b'] * 15})\n"
        "c = S.from_arrays(S('supervised', 2).fit(Y, d).to_arrays())\n"
        "assert c.transform(Y).shape == Y.shape and c.n_sv_ == 2\n"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_a_missing_gene_counts_as_its_training_mean():
    Y, obs = simulated(80, 300, 3, seed=14)
    correction = SurrogateVariableCorrection("supervised", 2).fit(Y, obs[["tissue"]])
    sample = Y[:1].copy()
    sample[0, [3, 7]] = np.nan
    filled = sample.copy()
    filled[0, [3, 7]] = Y[:, [3, 7]].mean(axis=0)
    corrected, expected = correction.transform(sample), correction.transform(filled)
    others = np.setdiff1d(np.arange(300), [3, 7])
    np.testing.assert_array_equal(corrected[0, others], expected[0, others])
    np.testing.assert_allclose(corrected[0, [3, 7]], Y[:, [3, 7]].mean(axis=0))


@pytest.mark.parametrize("method", METHODS)
def test_missing_cells_constant_genes_and_constant_samples_in_training(method):
    Y, obs = simulated(80, 400, 3, seed=15)
    Y[2] = 4.0
    Y[:, 5] = 3.25
    Y[:, 6] = np.nan
    Y[10:20, 8] = np.nan
    correction = SurrogateVariableCorrection(method, 2).fit(Y, obs[["tissue"]])
    corrected = correction.transform(Y)
    assert np.isfinite(np.delete(corrected, 6, axis=1)).all()
    np.testing.assert_array_equal(corrected[:, 5], np.full(80, 3.25))
    assert any("missing" in message for message in correction.messages_)
    assert any("do not vary" in message for message in correction.messages_)


def test_a_singular_design_is_reduced_with_a_message():
    Y, obs = simulated(60, 200, 3, seed=16)
    obs["again"] = obs["tissue"].str.upper()
    obs["one"] = "x"
    correction = SurrogateVariableCorrection("supervised", 2)
    correction.fit(Y, obs[["tissue", "again", "one"]])
    assert correction.design_ == ["intercept", "tissue=t1", "tissue=t2"]
    assert sum("again=" in message for message in correction.messages_) == 2
    assert any("one has one class only" in message for message in correction.messages_)
    plain = SurrogateVariableCorrection("supervised", 2).fit(Y, obs[["tissue"]])
    np.testing.assert_allclose(correction.transform(Y), plain.transform(Y))


def test_more_surrogate_variables_than_samples_allow_are_reduced():
    Y, obs = simulated(12, 200, 2, seed=17)
    correction = SurrogateVariableCorrection("supervised", 50).fit(Y, obs[["tissue"]])
    assert correction.n_sv_ <= 8
    assert any(
        "50 surrogate variables are configured, 8 is the maximum" in m for m in correction.messages_
    )
    few = SurrogateVariableCorrection("supervised", 2).fit(Y[:3], obs.loc[:2, ["tissue"]])
    assert few.n_sv_ == 0
    np.testing.assert_allclose(few.transform(Y), Y, atol=1e-12)


def test_degenerate_weights_give_a_message_and_are_never_applied():
    """Every gene marks the tissue: irw's weights vanish, R answers with sample indicators."""
    rng = np.random.default_rng(18)
    codes = np.repeat([0, 1], 100)
    Y = 5 + 3 * rng.choice([-1, 1], 500) * codes[:, None] + rng.normal(0, 0.2, (200, 500))
    design = pd.DataFrame({"tissue": codes.astype(str)})
    fit = agrees_with_r(Y, design_matrix(design)[0], "irw", 2)
    np.testing.assert_array_equal(np.abs(fit.surrogates), np.eye(200)[:, :2])
    correction = SurrogateVariableCorrection("irw", 2).fit(Y, design)
    assert correction.n_sv_ == 0
    assert any("degenerate" in message for message in correction.messages_)
    np.testing.assert_allclose(correction.transform(Y), Y, atol=1e-12)


def test_a_variable_that_is_one_sample_is_not_applied():
    Y, obs = simulated(60, 300, 2, seed=19, batch=0)
    Y[7] += 8 * np.random.default_rng(0).normal(size=300)
    correction = SurrogateVariableCorrection("supervised", 1, controls=1.0)
    correction.fit(Y, obs[["tissue"]])
    assert correction.n_sv_ == 0
    assert any("one sample's indicator" in message for message in correction.messages_)


def test_programs_started_after_r_find_their_own_libraries():
    code = (
        "import os, numpy, subprocess; from tissuestate.expression import bioconductor; "
        "bioconductor.local_fdr(numpy.linspace(0.01, 0.99, 99)); "
        "print(os.environ.get('LD_LIBRARY_PATH'), flush=True); "
        "subprocess.run('echo ${LD_LIBRARY_PATH-None}', shell=True)"
    )
    for given in ({}, {"LD_LIBRARY_PATH": "/opt/lib"}):
        rest = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=rest | given,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [given.get("LD_LIBRARY_PATH", "None")] * 2


def test_num_sv_of_bioconductor_can_choose_the_number():
    Y, obs = simulated(40, 300, 2, seed=20, batch=3)
    correction = SurrogateVariableCorrection("two-step", "be", seed=1).fit(Y, obs[["tissue"]])
    assert (
        correction.n_sv_ == bioconductor.num_sv(Y, design_matrix(obs[["tissue"]])[0], "be", 1) == 2
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("combat",), "correction method 'combat'"),
        (("irw", "many"), "n_sv 'many'"),
        (("irw", -1), "n_sv -1"),
        (("irw", 2, "julia"), "correction engine 'julia'"),
    ],
)
def test_unknown_parameters_are_refused(arguments, text):
    with pytest.raises(InputError, match=text):
        SurrogateVariableCorrection(*arguments)


def test_wrong_shapes_and_infinities_are_refused():
    Y, obs = simulated(30, 100, 2, seed=21)
    with pytest.raises(InputError, match="design 29 rows"):
        SurrogateVariableCorrection().fit(Y, obs.loc[:28, ["tissue"]])
    with pytest.raises(InputError, match="infinite"):
        SurrogateVariableCorrection().fit(np.where(Y > 6, np.inf, Y), obs[["tissue"]])
    correction = SurrogateVariableCorrection("none").fit(Y, obs[["tissue"]])
    with pytest.raises(InputError, match="fitted on 100 genes"):
        correction.transform(Y[:, :99])


def cohort(seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """80 samples, 300 genes: tissues × states in two studies with a gene-specific bias."""
    rng = np.random.default_rng(seed)
    obs = pd.DataFrame(
        {
            "tissue": np.resize(["kidney", "liver", "lung", "thyroid"], 80),
            "disease_state": np.repeat(STATES, [20, 24, 36]),
            "donor": [f"d{i}" for i in range(80)],
        }
    )
    share = obs["disease_state"].map(dict(zip(STATES, [0.3, 0.6, 0.7], strict=True)))
    obs["study"] = np.where(rng.random(80) < share, "oncology", "atlas")
    Y = rng.normal(6, 1.2, 300) + rng.normal(0, 0.4, (80, 300))
    for i, name in enumerate(["kidney", "liver", "lung", "thyroid"]):
        Y[np.ix_(obs["tissue"] == name, np.arange(15 * i, 15 * i + 15))] += 2.5
    for i, name in enumerate(["peri-neoplastic", "neoplastic"]):
        Y[np.ix_(obs["disease_state"] == name, np.arange(60 + 20 * i, 80 + 20 * i))] += 2
    Y += (obs["study"] == "oncology").to_numpy()[:, None] * rng.normal(0, 0.7, 300)
    return Y, obs


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_default_removes_the_batch_of_a_small_cohort_and_keeps_its_biology(seed):
    Y, obs = cohort(seed)
    training = np.arange(80) % 10 < 7
    correction = SurrogateVariableCorrection(seed=seed)
    correction.fit(Y[training], obs.loc[training, ["tissue", "disease_state"]], obs=obs[training])
    assert correction.method_ != "none"
    before, after = (
        Measures.of((M - M.mean(axis=0)) @ (M - M.mean(axis=0)).T, obs)
        for M in (Y, correction.transform(Y))
    )
    assert before.within > 0.2
    assert after.within < 0.05
    assert after.biology["tissue"] > 0.97
    assert after.biology["disease_state"] > before.biology["disease_state"] - 0.03


def test_without_a_batch_to_measure_nothing_is_corrected():
    Y, obs = cohort(0)
    obs["study"] = "one"
    correction = SurrogateVariableCorrection().fit(Y, obs[["tissue"]], obs=obs)
    assert correction.method_ == "none"
    assert any("cannot be measured" in message for message in correction.messages_)


def test_a_batch_confounded_with_the_biology_is_not_corrected():
    Y, obs = cohort(1)
    obs["study"] = np.where(obs["disease_state"] == "non-neoplastic", "atlas", "oncology")
    correction = SurrogateVariableCorrection().fit(Y, obs[["tissue"]], obs=obs)
    assert correction.method_ == "none"


def test_the_default_makes_replicated_specimens_nearest_neighbours(real):
    """Two pipelines quantified the same specimens; held-out donors are corrected as well."""
    Y, obs = real
    rng = np.random.default_rng(0)
    Y = Y[:, rng.permutation(Y.shape[1])[:1500]]
    donors = rng.permutation(obs["donor"].unique())
    training = obs["donor"].isin(donors[: int(0.7 * len(donors))]).to_numpy()
    correction = SurrogateVariableCorrection()
    correction.fit(Y[training], obs.loc[training, ["tissue", "disease_state"]], obs=obs[training])
    for rows in (training, ~training):
        before, after = (
            Measures.of((M - M.mean(axis=0)) @ (M - M.mean(axis=0)).T, obs[rows]).concordance
            for M in (Y[rows], correction.transform(Y[rows]))
        )
        assert before < 0.6
        assert after >= 0.95


def test_candidates_stay_within_a_tenth_of_the_samples():
    plans = choice.candidates("auto", None, None, room=90, samples=100)
    assert max(plan.n_sv for plan in plans) == 8
    assert {plan.method for plan in plans} == set(METHODS)
    assert choice.candidates("irw", 4, None, 90, 100) == [Plan("irw", 4)]
