"""Features, compared with scikit-learn's scaler, PCA (full solver) and forest."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler
from tissuestate.arrays import load_arrays, save_arrays
from tissuestate.errors import InputError
from tissuestate.features.transformers import (
    AllGenes,
    ForestGenes,
    PrincipalComponents,
    load_transformer,
    make_transformer,
)


def expression(samples: int, genes: int, seed: int = 5) -> np.ndarray:
    """Correlated log expression with two constant genes, float32."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, 15)) @ rng.normal(size=(15, genes))
    X = 8 + X * rng.lognormal(-1, 1, genes) + rng.normal(size=(samples, genes))
    X[:, 3], X[:, 7] = 0, 5.3
    return X.astype(np.float32)


def witness(X: np.ndarray, components: int) -> tuple[StandardScaler, PCA]:
    scaler = StandardScaler().fit(X.astype(np.float64))
    pca = PCA(components, svd_solver="full").fit(scaler.transform(X.astype(np.float64)))
    return scaler, pca


SHAPES = [(120, 700, 40), (700, 120, 40), (60, 60, 30), (50, 3000, 49), (150, 2500, 1)]


@pytest.mark.parametrize(("samples", "genes", "components"), SHAPES)
def test_components_are_those_of_scikit_learn(samples, genes, components):
    X, new = expression(samples, genes), expression(20, genes, seed=6)
    scaler, pca = witness(X, components)
    fitted = PrincipalComponents(components).fit(X)
    np.testing.assert_allclose(fitted.mean_, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(fitted.scale_, scaler.scale_, rtol=1e-10)
    np.testing.assert_allclose(fitted.components_, pca.components_, atol=1e-6)
    np.testing.assert_allclose(fitted.explained_variance_, pca.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(
        fitted.explained_variance_ratio_, pca.explained_variance_ratio_, rtol=1e-8
    )
    for values in (X, new):
        expected = pca.transform(scaler.transform(values.astype(np.float64)))
        np.testing.assert_allclose(fitted.transform(values), expected, atol=2e-5)


def test_as_many_components_as_samples_are_possible():
    X = expression(40, 90)
    scaler, pca = witness(X, 40)
    fitted = PrincipalComponents(40).fit(X)
    Z = scaler.transform(X.astype(np.float64))
    back = fitted.transform(X).astype(np.float64) @ fitted.components_
    np.testing.assert_allclose(back, Z, atol=1e-5)  # nothing is lost
    assert not fitted.components_[-1].any()  # centring leaves 39 directions
    assert pca.explained_variance_[-1] < 1e-20
    assert fitted.explained_variance_[-1] == 0


def test_reconstruction_equals_the_full_solvers():
    X = expression(300, 800)
    scaler, pca = witness(X, 100)
    fitted = PrincipalComponents(100).fit(X)
    Z = scaler.transform(X.astype(np.float64))
    theirs = np.linalg.norm(Z - pca.inverse_transform(pca.transform(Z)))
    ours = np.linalg.norm(Z - fitted.transform(X).astype(np.float64) @ fitted.components_)
    assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("components", [1, 100, 300])
def test_single_precision_for_many_samples_loses_nothing(components, monkeypatch):
    X = expression(300, 800)
    exact = PrincipalComponents(components).fit(X)
    monkeypatch.setattr("tissuestate.features.transformers._LARGE", 100)
    fast = PrincipalComponents(components).fit(X)
    Z = StandardScaler().fit_transform(X.astype(np.float64))
    lost = [
        np.linalg.norm(Z - fitted.transform(X).astype(np.float64) @ fitted.components_)
        for fitted in (exact, fast)
    ]
    assert lost[1] == pytest.approx(lost[0], rel=1e-6, abs=1e-3)
    np.testing.assert_allclose(fast.explained_variance_, exact.explained_variance_, rtol=1e-5)
    kept = fast.components_[: min(components, 299)].astype(np.float64)
    np.testing.assert_allclose(kept @ kept.T, np.eye(len(kept)), atol=1e-5)
    np.testing.assert_allclose(fast.components_[:15], exact.components_[:15], atol=1e-4)
    assert not fast.components_[299:].any()


@pytest.mark.parametrize("large", [20, 3000])
def test_components_beyond_the_rank_are_zero(large, monkeypatch):
    monkeypatch.setattr("tissuestate.features.transformers._LARGE", large)
    X = np.repeat(expression(10, 60), 3, axis=0)  # ten different samples
    fitted = PrincipalComponents(20).fit(X)
    assert np.isfinite(fitted.transform(X)).all()
    assert not fitted.components_[9:].any()
    Z = StandardScaler().fit_transform(X.astype(np.float64))
    np.testing.assert_allclose(fitted.transform(X) @ fitted.components_, Z, atol=1e-4)


def test_constant_samples_give_zeros():
    X = np.full((6, 9), 2.5, dtype=np.float32)
    fitted = PrincipalComponents(3).fit(X)
    assert not fitted.transform(X).any()


@pytest.mark.parametrize(("samples", "genes", "largest"), [(20, 50, 20), (50, 20, 20)])
def test_too_many_components_are_refused(samples, genes, largest):
    sentence = (
        rf"21 principal components are configured.* allow {largest}; set features: components"
    )
    with pytest.raises(InputError, match=sentence):
        PrincipalComponents(21).fit(expression(samples, genes))
    with pytest.raises(InputError, match="0 principal components"):
        PrincipalComponents(0).fit(expression(samples, genes))


def transformers(X: np.ndarray, y: np.ndarray) -> list:
    names = [f"GENE{i}" for i in range(X.shape[1])]
    kinds = [AllGenes(), ForestGenes(25, n_trees=20), PrincipalComponents(30)]
    return [transformer.fit(X, y, genes=names) for transformer in kinds]


@pytest.fixture(scope="module")
def fitted():
    X = expression(90, 400)
    y = np.array(["a", "b", "c"])[np.arange(90) % 3]
    X[:, 50:60] += 2 * (np.arange(90) % 3)[:, None]
    return transformers(X, y)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_no_sample_depends_on_other_samples(which, fitted):
    X = expression(300, 400, seed=8)
    together = fitted[which].transform(X)
    for i in (0, 1, 63, 64, 127, 128, 200, 299):
        assert fitted[which].transform(X[i : i + 1]).tobytes() == together[i].tobytes()
    order = np.random.default_rng(1).permutation(300)
    assert fitted[which].transform(X[order]).tobytes() == together[order].tobytes()
    assert fitted[which].transform(X[5:45]).tobytes() == together[5:45].tobytes()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_saving_changes_nothing(which, fitted, tmp_path):
    X = expression(10, 400, seed=9)
    save_arrays(tmp_path / "t.npz", fitted[which].to_arrays())
    again = load_transformer(load_arrays(tmp_path / "t.npz"))
    assert type(again) is type(fitted[which])
    assert again.names_ == fitted[which].names_
    assert again.genes_ == fitted[which].genes_
    assert again.transform(X).tobytes() == fitted[which].transform(X).tobytes()


def test_all_genes_are_standardised():
    X = expression(80, 300)
    found = AllGenes().fit(X).transform(X)
    np.testing.assert_allclose(
        found, StandardScaler().fit_transform(X.astype(np.float64)), atol=1e-6
    )
    assert found.dtype == np.float32


def test_the_forest_chooses_the_genes_of_scikit_learn():
    X = expression(90, 200)
    y = np.array(["a", "b", "c"])[np.arange(90) % 3]
    X[:, 50:60] += 9 * (np.arange(90) % 3)[:, None]
    fitted = ForestGenes(10, seed=4, n_trees=50).fit(X, y)
    assert set(range(50, 60)) == set(fitted.selected_)
    forest = RandomForestClassifier(50, class_weight="balanced_subsample", random_state=4)
    importance = forest.fit(X, y).feature_importances_
    assert set(np.argsort(-importance)[:10]) == set(fitted.selected_)
    np.testing.assert_array_equal(importance[fitted.selected_], fitted.importance_)
    assert fitted.names_ == [f"g{i}" for i in range(50, 60)]
    whole = AllGenes().fit(X).transform(X)
    np.testing.assert_array_equal(fitted.transform(X), whole[:, fitted.selected_])
    parallel = ForestGenes(10, seed=4, n_trees=50, threads=2).fit(X, y)
    np.testing.assert_array_equal(parallel.importance_, fitted.importance_)


def test_too_many_forest_genes_are_refused():
    with pytest.raises(InputError, match="201 forest genes are configured, 200 genes exist"):
        ForestGenes(201).fit(expression(20, 200), ["a", "b"] * 10)


def test_other_mistakes_are_refused(fitted):
    X = expression(20, 50)
    X[3, 4] = np.nan
    with pytest.raises(InputError, match="gene 'g4' has missing or infinite values"):
        PrincipalComponents(2).fit(X)
    with pytest.raises(InputError, match="400 genes were fitted"):
        fitted[0].transform(X)
    with pytest.raises(InputError, match="features 'ica' are unknown"):
        make_transformer("ica")
    with pytest.raises(InputError, match="of kind '' are unknown"):
        load_transformer({})
    with pytest.raises(InputError, match="need samples and genes"):
        AllGenes().fit(np.empty((0, 4)))


def test_each_kind_of_features_has_its_transformer():
    assert isinstance(make_transformer("pca", components=7), PrincipalComponents)
    assert make_transformer("pca", components=7).n_components == 7
    assert make_transformer("rf", forest_genes=9, seed=3).n_genes == 9
    assert isinstance(make_transformer("all"), AllGenes)
