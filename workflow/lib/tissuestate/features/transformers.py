"""Features of the networks: principal components, the forest's best genes, or all genes."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import numpy as np
import scipy.linalg

from tissuestate.errors import InputError

_BLOCK = 64  # rows computed at once; constant, because BLAS rounds differently for other numbers
_LARGE = 3000  # number of samples from which PCA is mostly in single precision
_GENES = 2048  # genes whose products are added up at once

log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]


class _Scaled:
    """Base of the transformers: genes centred and divided by their standard deviation."""

    kind: ClassVar[str]
    genes_: list[str]
    names_: list[str]
    mean_: np.ndarray
    scale_: np.ndarray

    def _fit_scale(self, X: np.ndarray, genes: Sequence[str] | None) -> int:
        """Mean and population standard deviation per gene, 1 for a gene that never varies.

        Returns the number of genes that vary.
        """
        if X.ndim != 2 or len(X) == 0 or X.shape[1] == 0:
            raise InputError(f"features need samples and genes; found a table of {X.shape}.")
        self.genes_ = list(genes) if genes is not None else [f"g{i}" for i in range(X.shape[1])]
        if len(self.genes_) != X.shape[1]:
            raise ValueError(f"{len(self.genes_)} names for {X.shape[1]} genes")
        self.mean_ = np.empty(X.shape[1])
        self.scale_ = np.empty(X.shape[1])
        varying = 0
        for part in _gene_blocks(X.shape[1]):
            block = X[:, part].astype(np.float64)
            if not np.isfinite(block).all():
                gene = self.genes_[part][int(np.argmax(~np.isfinite(block).all(axis=0)))]
                raise InputError(f"gene {gene!r} has missing or infinite values; cannot be scaled.")
            self.mean_[part] = block.mean(axis=0)
            deviation = block.std(axis=0)
            # as in scikit-learn: the rounding error of a constant is not variation
            constant = deviation <= 10 * np.finfo(float).eps * np.abs(self.mean_[part])
            self.scale_[part] = np.where(constant, 1.0, deviation)
            varying += int((~constant).sum())
        return varying

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Features (samples × features, float32), those of a row from that row alone."""
        X = self._check_genes(X)
        result = np.empty((len(X), len(self.names_)), dtype=np.float32)
        apply = self._row_transform()
        for start in range(0, len(X), _BLOCK):
            result[start : start + _BLOCK] = apply(X[start : start + _BLOCK])
        return result

    def _check_genes(self, X: np.ndarray) -> np.ndarray:
        """The values as an array; raises InputError if the number of genes differs."""
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != len(self.genes_):
            raise InputError(f"found {X.shape} values; {len(self.genes_):,} genes were fitted.")
        return X

    def _row_transform(self) -> Callable[[np.ndarray], np.ndarray]:
        """Function that transforms one block of rows."""
        raise NotImplementedError

    def to_arrays(self) -> Arrays:
        """The fitted state as plain arrays."""
        return {
            "kind": np.array(self.kind),
            "genes": np.array(self.genes_, dtype=str),
            "names": np.array(self.names_, dtype=str),
            "mean": self.mean_,
            "scale": self.scale_,
        }

    def _restore(self, arrays: Arrays) -> None:
        self.genes_ = arrays["genes"].tolist()
        self.names_ = arrays["names"].tolist()
        self.mean_ = arrays["mean"]
        self.scale_ = arrays["scale"]


class AllGenes(_Scaled):
    """Every gene, scaled."""

    kind = "all"

    def fit(
        self, X: np.ndarray, y: object = None, genes: Sequence[str] | None = None
    ) -> "AllGenes":
        """Learn mean and deviation of each gene; `y` is ignored."""
        self._fit_scale(X, genes)
        self.names_ = list(self.genes_)
        return self

    def _row_transform(self) -> Callable[[np.ndarray], np.ndarray]:
        return lambda rows: (rows - self.mean_) / self.scale_

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "AllGenes":
        """The transformer that `to_arrays` described."""
        result = cls()
        result._restore(arrays)
        return result


class ForestGenes(_Scaled):
    """The genes that a random forest finds most important for the classes, scaled."""

    kind = "rf"

    def __init__(
        self, n_genes: int = 1000, seed: int = 0, n_trees: int = 300, threads: int = 1
    ) -> None:
        self.n_genes = n_genes
        self.seed = seed
        self.n_trees = n_trees
        self.threads = threads

    def fit(
        self, X: np.ndarray, y: Sequence[str] | np.ndarray, genes: Sequence[str] | None = None
    ) -> "ForestGenes":
        """Choose genes by impurity decrease for the classes `y` (state × tissue × subtype).

        Raises InputError if `n_genes` exceeds the number of genes.
        """
        from sklearn.ensemble import RandomForestClassifier

        if not 1 <= self.n_genes <= X.shape[1]:
            raise InputError(
                f"{self.n_genes:,} forest genes are configured, {X.shape[1]:,} genes exist; set "
                f"features: forest_genes to {X.shape[1]} at most."
            )
        self._fit_scale(X, genes)
        forest = RandomForestClassifier(
            n_estimators=self.n_trees,
            max_features="sqrt",
            class_weight="balanced_subsample",
            random_state=self.seed,
            n_jobs=self.threads,
        ).fit(X, np.asarray(y, dtype=str))
        importance = forest.feature_importances_
        self.selected_ = np.sort(np.argsort(-importance, kind="stable")[: self.n_genes])
        self.importance_ = importance[self.selected_]
        self.names_ = [self.genes_[i] for i in self.selected_]
        log.info("%d of %d genes chosen by the forest", self.n_genes, X.shape[1])
        return self

    def _row_transform(self) -> Callable[[np.ndarray], np.ndarray]:
        chosen = self.selected_
        mean, scale = self.mean_[chosen], self.scale_[chosen]
        return lambda rows: (rows[:, chosen] - mean) / scale

    def to_arrays(self) -> Arrays:
        """The fitted state as plain arrays."""
        return super().to_arrays() | {
            "selected": self.selected_,
            "importance": self.importance_,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "ForestGenes":
        """The transformer that `to_arrays` described."""
        result = cls(len(arrays["selected"]))
        result._restore(arrays)
        result.selected_ = arrays["selected"]
        result.importance_ = arrays["importance"]
        return result


class PrincipalComponents(_Scaled):
    """Standardised genes projected on the leading principal components of the training samples.

    The components are those of scikit-learn's StandardScaler and PCA(svd_solver="full"), with the
    same signs: the largest loading of each is positive. They come from the eigenvectors of the
    Gram matrix on the smaller side, built from blocks of genes.
    """

    kind = "pca"

    def __init__(self, n_components: int = 2000) -> None:
        self.n_components = n_components

    def fit(
        self, X: np.ndarray, y: object = None, genes: Sequence[str] | None = None
    ) -> "PrincipalComponents":
        """Learn scale and components from X (samples × genes); `y` is ignored.

        A component without variance (the last if there are as many as samples) is zero. Raises
        InputError if `n_components` exceeds what samples and genes allow.
        """
        samples, n_genes = X.shape
        largest = min(samples, n_genes)
        if not 1 <= self.n_components <= largest:
            raise InputError(
                f"{self.n_components:,} principal components are configured, but {samples:,} "
                f"training samples × {n_genes:,} genes allow {largest:,}; set features: "
                f"components to {largest} at most."
            )
        varying = self._fit_scale(X, genes)
        large = _LARGE <= samples <= n_genes
        values, components = (self._decompose_large if large else self._decompose)(X)
        k, total = len(values), samples * varying
        largest_loading = np.abs(components).argmax(axis=1)
        components *= np.where(components[np.arange(k), largest_loading] < 0, -1, 1)[:, None]
        self.components_ = components
        self.explained_variance_ = values / max(samples - 1, 1)
        self.explained_variance_ratio_ = values / max(total, 1)
        self.names_ = [f"PC{i + 1}" for i in range(k)]
        log.info(
            "%d components of %d samples × %d genes explain %.1f %% of the variance",
            *(k, samples, n_genes, 100 * self.explained_variance_ratio_.sum()),
        )
        return self

    def _standardise(self, X: np.ndarray, part: slice) -> np.ndarray:
        return (X[:, part] - self.mean_[part]) / self.scale_[part]

    def _decompose(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Leading eigenvalues of ZᵀZ and its eigenvectors as rows, Z the standardised X."""
        by_samples = len(X) <= X.shape[1]
        gram = self._sample_gram(X, np.float64) if by_samples else self._gene_gram(X)
        values, vectors = _leading_eigenvectors(gram, self.n_components)
        # eigenvalues carry an error of about eps × the largest: below it there is no direction
        none = values <= values[0] * len(gram) * np.finfo(np.float64).eps
        values[none] = 0
        components = np.empty((self.n_components, X.shape[1]), dtype=np.float32)
        if by_samples:
            inverse = np.divide(1, np.sqrt(values), out=np.zeros(len(values)), where=~none)
            for part in _gene_blocks(X.shape[1]):
                components[:, part] = (vectors * inverse).T @ self._standardise(X, part)
        else:
            components[:] = np.where(none, 0, vectors).T
        return values, components

    def _decompose_large(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same for many samples, most of it in single precision.

        Single precision finds a slightly larger subspace; the eigenvalue problem within it (after
        Rayleigh and Ritz) is solved in double precision, from the data and not from the Gram
        matrix, so that components are orthogonal and ordered as those of `_decompose`. They can
        differ from these if eigenvalues nearly coincide, but reconstruct the same values.
        """
        k = self.n_components
        wide = min(len(X), k + max(20, k // 20))
        basis = _leading_eigenvectors(self._sample_gram(X, np.float32), wide)[1].T.copy()
        projected = np.empty((wide, X.shape[1]), dtype=np.float32)
        small = np.zeros((wide, wide))
        for part in _gene_blocks(X.shape[1]):
            projected[:, part] = basis @ self._standardise(X, part).astype(np.float32)
            small += projected[:, part] @ projected[:, part].T
        values, vectors = _leading_eigenvectors(small, k)
        none = values <= values[0] * len(X) * float(np.finfo(np.float32).eps) ** 2
        values[none] = 0
        inverse = np.divide(1, np.sqrt(values), out=np.zeros(k), where=~none)
        rotation = (vectors * inverse).T.astype(np.float32)
        components = np.empty((k, X.shape[1]), dtype=np.float32)
        for part in _gene_blocks(X.shape[1]):
            components[:, part] = rotation @ projected[:, part]
        return values, components

    def _sample_gram(self, X: np.ndarray, precision: type[np.floating]) -> np.ndarray:
        """Samples × samples (lower triangle)."""
        gram = np.zeros((len(X), len(X)), dtype=precision, order="F")
        add = scipy.linalg.blas.get_blas_funcs("syrk", (gram,))
        for part in _gene_blocks(X.shape[1]):
            block = self._standardise(X, part).astype(precision)
            gram = add(1.0, block.T, beta=1.0, c=gram, trans=1, lower=1, overwrite_c=1)
        return gram

    def _gene_gram(self, X: np.ndarray) -> np.ndarray:
        """Genes × genes (lower triangle)."""
        gram = np.zeros((X.shape[1], X.shape[1]), order="F")
        for start in range(0, len(X), _GENES):
            block = (X[start : start + _GENES] - self.mean_) / self.scale_
            gram = scipy.linalg.blas.dsyrk(1.0, block.T, beta=1.0, c=gram, lower=1, overwrite_c=1)
        return gram

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Features (samples × features, float32), those of a row from that row alone.

        Other rows may change the rounding of a row's sums in double precision, by 1e-15; in single
        precision that is the last bit of one value in some hundred million. Loadings are converted
        to double precision a few genes at a time: for one sample, converting all at once takes
        longer than the product.
        """
        X = self._check_genes(X)
        result = np.zeros((-(-len(X) // _BLOCK) * _BLOCK, len(self.names_)))
        block = np.zeros((_BLOCK, min(_GENES, X.shape[1])))
        for part in _gene_blocks(X.shape[1]):
            loadings = self.components_[:, part].astype(np.float64)
            for start in range(0, len(X), _BLOCK):
                rows = self._standardise(X[start : start + _BLOCK], part)
                block[: len(rows), : rows.shape[1]] = rows
                block[len(rows) :] = 0
                result[start : start + _BLOCK] += block[:, : rows.shape[1]] @ loadings.T
        return result[: len(X)].astype(np.float32)

    def to_arrays(self) -> Arrays:
        """The fitted state as plain arrays."""
        return super().to_arrays() | {
            "components": self.components_,
            "explained_variance": self.explained_variance_,
            "explained_variance_ratio": self.explained_variance_ratio_,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "PrincipalComponents":
        """The transformer that `to_arrays` described."""
        result = cls(len(arrays["components"]))
        result._restore(arrays)
        result.components_ = arrays["components"]
        result.explained_variance_ = arrays["explained_variance"]
        result.explained_variance_ratio_ = arrays["explained_variance_ratio"]
        return result


Transformer = AllGenes | ForestGenes | PrincipalComponents


def make_transformer(
    kind: str, components: int = 2000, forest_genes: int = 1000, seed: int = 0, threads: int = 1
) -> Transformer:
    """The unfitted transformer of a kind: pca, rf or all."""
    if kind == "pca":
        return PrincipalComponents(components)
    if kind == "rf":
        return ForestGenes(forest_genes, seed=seed, threads=threads)
    if kind == "all":
        return AllGenes()
    raise InputError(f"features {kind!r} are unknown; expected pca, rf or all.")


def load_transformer(arrays: Arrays) -> Transformer:
    """The fitted transformer that any `to_arrays` described."""
    kinds: dict[str, Callable[[Arrays], Transformer]] = {
        "all": AllGenes.from_arrays,
        "rf": ForestGenes.from_arrays,
        "pca": PrincipalComponents.from_arrays,
    }
    kind = str(arrays.get("kind", ""))
    if kind not in kinds:
        raise InputError(f"features of kind {kind!r} are unknown; expected pca, rf or all.")
    return kinds[kind](arrays)


def _leading_eigenvectors(gram: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest eigenvalues (float64, at least 0, descending) and eigenvectors as columns.

    Only the lower triangle is used; `gram` is overwritten. `scipy.linalg.eigh` computes a part of
    the spectrum by bisection and inverse iteration on one thread. That takes three times as long as
    divide and conquer for the whole spectrum, of which only k vectors are transformed back.
    """
    size = len(gram)
    reduce, reduce_size, multiply = scipy.linalg.get_lapack_funcs(
        ("sytrd", "sytrd_lwork", "ormqr"), (gram,)
    )
    work = int(reduce_size(size, lower=1)[0].real)
    reflectors, diagonal, beside, tau, _ = reduce(gram, lower=1, lwork=work, overwrite_a=1)
    values, vectors = scipy.linalg.eigh_tridiagonal(
        diagonal.astype(np.float64), beside.astype(np.float64), lapack_driver="stevd"
    )
    vectors = np.asfortranarray(vectors[:, : -k - 1 : -1], dtype=gram.dtype)
    if size > 1:  # the first row is the same in both bases
        reflectors, rest = reflectors[1:, :-1].copy(order="F"), vectors[1:].copy(order="F")
        work = int(multiply("L", "N", reflectors, tau, rest, lwork=-1)[1][0])
        vectors[1:] = multiply("L", "N", reflectors, tau, rest, lwork=work, overwrite_c=1)[0]
    return np.maximum(values[: -k - 1 : -1], 0), vectors


def _gene_blocks(genes: int) -> Iterator[slice]:
    for start in range(0, genes, _GENES):
        yield slice(start, min(start + _GENES, genes))
