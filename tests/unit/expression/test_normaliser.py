"""Normalisation: scales compared with edgeR, and samples one by one."""

import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tissuestate.arrays import load_arrays, save_arrays
from tissuestate.errors import InputError
from tissuestate.expression.normaliser import METHODS, Normaliser, tmm_factor
from tissuestate.matrices.units import linear_scale

pytestmark = pytest.mark.slow


def counts(samples: int = 12, genes: int = 800, least: int = 0) -> np.ndarray:
    """Negative binomial counts of samples that differ in depth and composition."""
    rng = np.random.default_rng(11)
    mean = rng.lognormal(4, 1.5, genes) * rng.lognormal(0, 0.6, (samples, 1))
    mean[::2, :40] *= 8
    return (rng.negative_binomial(5, 5 / (5 + mean)) + least).astype(np.float32)


def edger(values: np.ndarray, call: str, tmp_path) -> np.ndarray:
    """What an expression of R makes of `counts` (genes × samples)."""
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    np.savetxt(tmp_path / "counts.txt", values.T)
    script = f"""
    if (!requireNamespace("edgeR", quietly = TRUE)) quit(status = 77)
    counts <- as.matrix(read.table("{tmp_path}/counts.txt"))
    cat(sprintf("%.17g", {call}), sep = "\\n")
    """
    run = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True)
    if run.returncode == 77:
        pytest.skip("R package edgeR is not installed")
    assert run.returncode == 0, run.stderr
    return np.array(run.stdout.split(), dtype=float)


def scales(method: str, values: np.ndarray) -> np.ndarray:
    """What each sample was multiplied by."""
    units = ["count"] * len(values)
    result = Normaliser(method).fit(values, units).transform(values, units)
    gene = int(np.argmax(values.min(axis=0)))
    return (np.exp2(result[:, gene].astype(float)) - 1) / values[:, gene]


@pytest.mark.parametrize("method", METHODS)
def test_training_samples_that_lack_genes_hardly_change_the_scale(method):
    values = counts(40, 2000, least=1)
    sparse = values.copy()
    sparse[::3, np.argsort(values.mean(axis=0))[:1500]] = np.nan  # the faint genes
    units = ["count"] * len(values)
    whole, fitted = (Normaliser(method).fit(X, units) for X in (values, sparse))
    assert np.isfinite(fitted.reference_).all()
    difference = fitted.transform(sparse, units) - whole.transform(values, units)
    assert np.nanmax(np.abs(difference)) < 0.3  # the faint genes moved the quartile by 2


def test_tmm_equals_edger(tmp_path):
    values = counts()
    factors = edger(values, 'edgeR::calcNormFactors(counts, method = "TMM")', tmp_path)
    product = scales("tmm", values) * values.sum(axis=1) * factors
    np.testing.assert_allclose(product, product[0], rtol=1e-5)


@pytest.mark.parametrize("reference", [0, 7])
def test_the_tmm_factor_equals_edger_for_any_reference(reference, tmp_path):
    values = counts()
    call = f'edgeR::calcNormFactors(counts, method = "TMM", refColumn = {reference + 1})'
    expected = edger(values, call, tmp_path)
    found = np.array([tmm_factor(row, values[reference]) for row in values.astype(float)])
    np.testing.assert_allclose(found / np.exp(np.log(found).mean()), expected, rtol=1e-10)


def test_upper_quartile_equals_edger_if_all_genes_are_expressed(tmp_path):
    values = counts(least=1)
    factors = edger(values, 'edgeR::calcNormFactors(counts, method = "upperquartile")', tmp_path)
    product = scales("upper-quartile", values) * values.sum(axis=1) * factors
    np.testing.assert_allclose(product, product[0], rtol=1e-5)


def test_upper_quartile_by_hand():
    X = np.array([[0, 1, 2, 3, 4], [0, 2, 4, 6, 8], [0, 0, 10, 20, 30]], dtype=np.float32)
    fitted = Normaliser("upper-quartile").fit(X[:2], ["count"] * 2)  # quartiles 3.25 and 6.5
    assert fitted.target_ == pytest.approx(4.875)
    found = fitted.transform(X[2:], ["count"])  # its expressed genes' quartile is 25
    np.testing.assert_allclose(found[0], np.log2(X[2] * 4.875 / 25 + 1), rtol=1e-6)


def test_cpm_equalises_totals():
    X = counts()
    units = ["count"] * len(X)
    found = np.exp2(Normaliser("cpm").fit(X, units).transform(X, units).astype(float)) - 1
    np.testing.assert_allclose(found.sum(axis=1), np.median(X.sum(axis=1, dtype=float)), rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_all_units_give_the_same_scale(method):
    X = counts()
    units = ["count"] * len(X)
    fitted = Normaliser(method).fit(X, units)
    expected = fitted.transform(X, units)
    logs = fitted.transform(np.log2(X.astype(float) + 1), ["log2"] * len(X))
    np.testing.assert_allclose(logs, expected, atol=2e-5)
    scaled = fitted.transform(X * np.float32(0.25), ["normalised"] * len(X))
    np.testing.assert_allclose(scaled, expected, atol=0.05 if method == "tmm" else 2e-5)
    mixed = fitted.transform(
        np.vstack([X[:1], np.log2(X[1:2] + 1), X[2:]]), ["count", "log2", *units[2:]]
    )
    np.testing.assert_allclose(mixed, expected, atol=2e-5)


@pytest.mark.parametrize("method", METHODS)
def test_no_sample_depends_on_other_samples(method):
    X = counts(samples=30)
    units = np.array(["count"] * 29 + ["log2"])
    X[29] = np.log2(X[29] + 1)
    fitted = Normaliser(method).fit(X[:20], units[:20])
    together = fitted.transform(X, units)
    for i in range(30):
        assert fitted.transform(X[i : i + 1], units[i : i + 1]).tobytes() == together[i].tobytes()
    order = np.random.default_rng(0).permutation(30)
    np.testing.assert_array_equal(fitted.transform(X[order], units[order]), together[order])


@pytest.mark.parametrize("method", METHODS)
def test_saving_changes_nothing(method, tmp_path):
    X = counts()
    units = ["count"] * len(X)
    fitted = Normaliser(method).fit(X, units)
    save_arrays(tmp_path / "n.npz", fitted.to_arrays())
    again = Normaliser.from_arrays(load_arrays(tmp_path / "n.npz"))
    assert again.transform(X, units).tobytes() == fitted.transform(X, units).tobytes()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("lost", ["at random", "the strongest"])
def test_missing_genes_hardly_move_the_others(method, lost):
    X = counts(samples=20, genes=4000)
    units = ["count"] * len(X)
    fitted = Normaliser(method).fit(X, units)
    expected = fitted.transform(X, units)
    gone = np.random.default_rng(0).permutation(4000)[:800]
    if lost == "the strongest":
        gone = np.argsort(-X.mean(axis=0))[:400]
    X[:, gone] = np.nan
    found = fitted.transform(X, units)
    assert np.isnan(found[:, gone]).all()
    rest = np.setdiff1d(np.arange(4000), gone)
    assert np.abs(found - expected)[:, rest].max() < 0.35
    assert np.abs(found - expected)[:, rest].mean() < 0.12


def test_a_sample_without_expressed_genes_is_refused():
    X = counts()
    fitted = Normaliser().fit(X, ["count"] * len(X))
    for row, unit in ((np.zeros(800), "count"), (np.full(800, np.nan), "count"),
                      (np.full(800, -3.0), "log2")):  # fmt: skip
        with pytest.raises(InputError, match="sample P7: no gene is expressed"):
            fitted.transform(row[None], [unit], ["P7"])
    X[3] = 0
    with pytest.raises(InputError, match="sample number 4: no gene is expressed"):
        Normaliser("tmm").fit(X, ["count"] * len(X))


def test_other_mistakes_are_refused():
    X = counts()
    with pytest.raises(InputError, match="normalisation 'rle' is unknown"):
        Normaliser("rle")
    with pytest.raises(InputError, match="unknown unit 'tpm'"):
        Normaliser().fit(X, ["tpm"] * len(X))
    with pytest.raises(InputError, match="found 799 genes, 800 were normalised"):
        Normaliser().fit(X, ["count"] * len(X)).transform(X[:, 1:], ["count"] * len(X))


@settings(max_examples=100, deadline=None)
@given(arrays(np.float32, (4, 9), elements=st.floats(0, 2**20, width=32)), st.sampled_from(METHODS))
def test_any_counts_give_finite_values(X, method):
    try:
        found = Normaliser(method).fit(X, ["count"] * 4).transform(X, ["count"] * 4)
    except InputError as error:
        assert "no gene is expressed" in str(error)
        assert (X == 0).all(axis=1).any()
    else:
        assert np.isfinite(found).all()
        assert (found >= 0).all()


def test_linear_scale_by_hand():
    np.testing.assert_array_equal(linear_scale(np.array([0.0, 1, np.nan]), "log2"), [0, 1, np.nan])
    np.testing.assert_array_equal(linear_scale(np.array([3.0, 2]), "log2"), [7, 3])
    np.testing.assert_array_equal(
        linear_scale(np.array([3.0, np.nan, -2]), "log2"), [7.75, np.nan, 0]
    )
    rows = linear_scale(np.array([[-1.0, 2], [0, 2]]), "log2")
    np.testing.assert_array_equal(rows, [[0, 3.5], [0, 3]])  # each row by itself
    assert linear_scale(np.array([]), "log2").shape == (0,)
    assert linear_scale(np.array([2.5]), "normalised")[0] == 2.5


@pytest.mark.parametrize("added", [0.001, 0.1, 0.5])
@pytest.mark.parametrize("method", ["upper-quartile", "cpm"])  # tmm trims ties by rounding
def test_logarithms_of_a_value_and_less_than_1_are_read_back(added, method):
    X = np.random.default_rng(3).negative_binomial(0.4, 0.002, (20, 500)).astype(float)
    logs = np.log2(X + added).astype(np.float32)
    np.testing.assert_allclose(linear_scale(logs, "log2"), X, rtol=1e-5, atol=1e-6)
    fitted = Normaliser(method).fit(X, ["count"] * len(X))
    known = fitted.transform(X, ["count"] * len(X))
    found = fitted.transform(logs, ["log2"] * len(X))
    np.testing.assert_allclose(found, known, atol=1e-4)
