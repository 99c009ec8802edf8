"""Measures of what a batch correction did to the batches and to the biology.

All of them follow from the inner products of samples: distances in the space of the leading
principal components, and sums of squares over all genes. Labels are needed only to measure. From
more than `MAX_SAMPLES` samples a seeded subset is measured (specimens that occur more than once
are kept first), from more than `MAX_GENES` genes those that vary most.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.linalg
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedGroupKFold

from tissuestate.labels import BACKGROUND

BATCHES = ("study", "source")
BIOLOGY = ("tissue", "disease_state", "subtype")
COMPONENTS = 100
MAX_SAMPLES = 2000
MAX_GENES = 5000
MIN_REPLICATES = 10
TOLERANCE = 0.01
NEGLIGIBLE = 0.002


@dataclass(frozen=True)
class Measures:
    """Measures of an expression matrix; NaN if the labels do not allow one.

    `concordance` of replicated specimens, `within`: share of variance that the batch explains
    within groups of equal biology, `biology`: balanced accuracy for each head among the classes
    of a sample's own batch, `errors`: its standard error.
    """

    concordance: float
    within: float
    biology: dict[str, float]
    errors: dict[str, float]

    @classmethod
    def of(cls, gram: np.ndarray, obs: pd.DataFrame, seed: int = 0) -> "Measures":
        """Measure centred expression by its `gram`, with the labels of its samples."""
        scores = principal_components(gram)
        batch = labels_of(obs, BATCHES)
        biology, errors = {}, {}
        for head in BIOLOGY:
            if head in obs:
                labels = obs[head].astype(str).to_numpy()
                accuracy = predictability(
                    scores[:, : count_components(len(gram))], labels, donors(obs), seed, batch=batch
                )
                biology[head] = accuracy
                count = max(1, int(np.sum(labels != "")))
                errors[head] = math.sqrt(accuracy * (1 - accuracy) / count)
        return cls(
            concordance(scores, specimens(obs)),
            explained_variance(gram, batch, labels_of(obs, BIOLOGY)),
            biology,
            errors,
        )

    def batch_left(self, before: "Measures") -> float:
        """Share of the batch that is left, 0 to 1; NaN if it cannot be measured."""
        if not math.isnan(before.concordance):
            return 1 - self.concordance
        if math.isnan(before.within) or before.within < NEGLIGIBLE:
            return float("nan")
        return max(0.0, self.within / before.within)

    def biology_lost(self, before: "Measures") -> float:
        """The largest loss of accuracy of a head above the tolerance; positive is too much."""
        losses = [
            before.biology[head] - accuracy - TOLERANCE - before.errors[head]
            for head, accuracy in self.biology.items()
            if not math.isnan(accuracy)
        ]
        return max(losses, default=-TOLERANCE)


def labels_of(obs: pd.DataFrame, columns: Sequence[str]) -> np.ndarray | None:
    """One label per sample: the values of the existing columns, joined; None if there is none."""
    present = [column for column in columns if column in obs]
    if not present:
        return None
    return obs[present].astype(str).agg("\t".join, axis=1).to_numpy()


def donors(obs: pd.DataFrame) -> np.ndarray:
    """The donor of each sample; without that column, each sample is its own donor."""
    return (obs["donor"] if "donor" in obs else obs.index.to_series()).astype(str).to_numpy()


def specimens(obs: pd.DataFrame) -> np.ndarray:
    """The specimen of each sample, unique names for those that are not replicated in sources.

    With fewer replicated specimens than `MIN_REPLICATES` none counts as replicated.
    """
    names = np.array([f"\t{i}" for i in range(len(obs))], dtype=object)
    if "specimen" in obs:
        several = is_replicated(obs["specimen"], obs.get("source"))
        if obs["specimen"][several].nunique() >= MIN_REPLICATES:
            names[several] = obs["specimen"].astype(str).to_numpy()[several]
    return names.astype(str)


def subset_rows(obs: pd.DataFrame, size: int, rng: np.random.Generator) -> np.ndarray:
    """Sorted row numbers of at most `size` samples, replicated specimens whole and first.

    Replicated specimens take up to half of the places.
    """
    if len(obs) <= size:
        return np.arange(len(obs))
    order = rng.permutation(len(obs))
    names = specimens(obs)
    _, codes, counts = np.unique(names, return_inverse=True, return_counts=True)
    several = order[counts[codes[order]] > 1]
    wanted = pd.unique(codes[several])
    taken = wanted[np.cumsum(counts[wanted]) <= size // 2]
    first = np.flatnonzero(np.isin(codes, taken))
    rest = order[~np.isin(order, first)][: size - len(first)]
    return np.sort(np.concatenate([first, rest]))


def count_components(samples: int) -> int:
    """Number of components for a linear model: 50, or fewer if samples are few."""
    return max(2, min(50, samples // 4))


def explained_variance(
    gram: np.ndarray, labels: np.ndarray | None, groups: np.ndarray | None = None
) -> float:
    """Share of the variance of all genes that labels explain, adjusted for their number.

    With `groups`, the share of the variance within the groups (adjusted partial R²). NaN if labels
    are missing, have one class or are determined by `groups`. Values below zero are possible, as
    with every adjusted R².
    """
    if labels is None or len(np.unique(labels)) < 2:
        return float("nan")
    blocks = [np.ones((len(gram), 1))] + ([] if groups is None else [_indicators(groups)])
    known = _orthonormal_basis(np.hstack(blocks))
    both = _orthonormal_basis(np.hstack([known, _indicators(labels)]))
    added, left = both.shape[1] - known.shape[1], len(gram) - both.shape[1]
    if added < 1 or left < 1:
        return float("nan")
    total = float(np.trace(gram))
    unexplained = total - float(np.einsum("ik,ij,jk->", known, gram, known, optimize=True))
    rest = total - float(np.einsum("ik,ij,jk->", both, gram, both, optimize=True))
    if unexplained <= 1e-12 * total:
        return float("nan")
    return 1 - (rest / left) / (unexplained / (len(gram) - known.shape[1]))


def _indicators(labels: np.ndarray) -> np.ndarray:
    return (labels[:, None] == np.unique(labels)).astype(np.float64)


def _orthonormal_basis(matrix: np.ndarray) -> np.ndarray:
    """Orthonormal basis of the columns of a matrix of any rank."""
    u, s, _ = np.linalg.svd(matrix, full_matrices=False)
    return u[:, s > 1e-8 * s[0]]


def principal_components(gram: np.ndarray, components: int = COMPONENTS) -> np.ndarray:
    """Scores (samples × components) of the leading principal components, unscaled genes.

    `gram` holds the inner products of the centred expression of samples, CCᵀ.
    """
    n = len(gram)
    components = max(1, min(components, n - 1))
    values, vectors = scipy.linalg.eigh(gram, subset_by_index=[n - components, n - 1])
    return vectors[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0))


def is_replicated(specimen: pd.Series, source: pd.Series | None = None) -> np.ndarray:
    """Whether each sample is of a specimen measured more than once (in several sources)."""
    known = specimen.notna() & (specimen.astype(str) != "")
    counted = specimen.to_frame("specimen")
    counted["source"] = np.arange(len(counted)) if source is None else source.to_numpy()
    sources = counted.groupby("specimen", observed=True)["source"].transform("nunique")
    return (known & (sources > 1)).to_numpy()


def concordance(scores: np.ndarray, specimen: np.ndarray) -> float:
    """Share of replicated specimens whose samples are all each other's nearest neighbours.

    `scores` is samples × components, `specimen` a name for each sample; a sample whose name occurs
    once is a possible neighbour only. NaN if no specimen is replicated. A specimen with two
    samples counts when each is the other's nearest neighbour (Euclidean); with more, when the
    nearest neighbour of each is of the same specimen.
    """
    squares = np.einsum("ij,ij->i", scores, scores)
    names, codes, counts = np.unique(specimen, return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts[codes] > 1)
    if not len(several):
        return float("nan")
    hits = np.ones(len(names), dtype=bool)
    for start in range(0, len(several), 1024):
        rows = several[start : start + 1024]
        distance = squares - 2 * (scores[rows] @ scores.T)
        distance[np.arange(len(rows)), rows] = np.inf
        same = codes[np.argmin(distance, axis=1)] == codes[rows]
        np.logical_and.at(hits, codes[rows], same)
    return float(hits[counts > 1].mean())


def predictability(
    scores: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    seed: int = 0,
    folds: int = 5,
    batch: np.ndarray | None = None,
) -> float:
    """Cross-validated balanced accuracy of a linear model that predicts labels from scores.

    Shrunken linear discriminant analysis with equal priors; all samples of a group (donor) are in
    one fold; classes with fewer groups than two are left out. NaN with fewer than two classes, or
    if training folds have no more samples than classes.

    With `batch`, a sample competes only among the classes of its own batch, and a batch of one
    class is left out: if a class occurs in one batch alone, the batch must not pass for biology.
    """
    if batch is None:
        batch = np.full(len(labels), "")
    label, group, x = labels.astype(str), groups.astype(str), scores
    pairs = np.unique(np.column_stack([label, group]), axis=0)
    names, sizes = np.unique(pairs[:, 0], return_counts=True)
    kept = np.isin(label, names[(sizes >= 2) & (names != "")])
    held = pd.crosstab(batch[kept], label[kept])
    kept &= np.isin(batch, held.index[(held > 0).sum(axis=1) > 1])
    label, group, x, batch = label[kept], group[kept], x[kept], batch[kept]
    classes = np.unique(label)
    if len(classes) < 2:
        return float("nan")
    smallest = int(sizes[np.isin(names, classes)].min())
    splitter = StratifiedGroupKFold(max(2, min(folds, smallest)), shuffle=True, random_state=seed)
    called = np.empty(len(label), dtype=label.dtype)
    for train, test in splitter.split(x, label, group):
        seen = np.unique(label[train])
        if len(train) <= len(seen):
            return float("nan")
        priors = np.full(len(seen), 1 / len(seen))
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors)
        score = model.fit(x[train], label[train]).decision_function(x[test])
        if score.ndim == 1:
            score = np.column_stack([np.zeros_like(score), score])
        possible = held.loc[batch[test], seen].to_numpy() > 0
        called[test] = seen[np.argmax(np.where(possible, score, -np.inf), axis=1)]
    return float(np.mean([np.mean(called[label == name] == name) for name in classes]))


def diagnose_correction(
    before: np.ndarray,
    after: np.ndarray,
    obs: pd.DataFrame,
    training: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    surrogates: int = 0,
    seed: int = 0,
) -> tuple[pd.DataFrame, list[str]]:
    """The table of measures before and after a correction, and warnings that follow from it.

    Samples of no class (split `background`) are left out, as nothing was fitted to them.

    Parameters: `before` and `after` samples × genes; `obs` their labels; `training` which samples
    the correction was fitted on (boolean), so that concordance is measured on the others too;
    `weights` of the genes in the correction and the number of its surrogate variables.

    Returns a long table (stage, measure, value; values as text, empty if not measurable) and
    the warnings, which are also its last rows (stage note, measure message).
    """
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(obs["split"] != BACKGROUND) if "split" in obs else np.arange(len(obs))
    rows = known[subset_rows(obs.iloc[known], MAX_SAMPLES, rng)]
    labels = obs.iloc[rows]
    genes = np.arange(before.shape[1])
    if len(genes) > MAX_GENES:
        variance = np.var(before[rows], axis=0, dtype=np.float64)
        genes = np.sort(np.argsort(-variance, kind="stable")[:MAX_GENES])
    held_out = None if training is None else ~training[rows]
    records: list[tuple[str, str, float]] = []
    measured = []
    for stage, matrix in (("before", before), ("after", after)):
        part = matrix[np.ix_(rows, genes)].astype(np.float64)
        part -= part.mean(axis=0)
        gram = part @ part.T
        measures = Measures.of(gram, labels, seed)
        measured.append(measures)
        scores = principal_components(gram)
        records.append((stage, "concordance", measures.concordance))
        if held_out is not None and held_out.any():
            names = specimens(labels)[held_out]
            records.append((stage, "concordance_held_out", concordance(scores[held_out], names)))
        thin = scores[:, : count_components(len(part))]
        for column in (*BATCHES, *BIOLOGY):
            if column in labels:
                value = predictability(thin, labels[column].to_numpy(), donors(labels), seed)
                records.append((stage, f"predicted_{column}", value))
        records += [(stage, f"predicted_{h}_within_batch", v) for h, v in measures.biology.items()]
        for column in (*BATCHES, *BIOLOGY):
            if column in labels:
                value = explained_variance(gram, labels[column].astype(str).to_numpy())
                records.append((stage, f"variance_{column}", value))
        records.append((stage, "variance_batch_within_biology", measures.within))
    records.append(("after", "surrogate_variables", float(surrogates)))
    if weights is not None:
        records.append(("after", "genes_with_weight", float(np.mean(weights > 0.01))))
    warnings = _warnings(*measured) if surrogates else []
    table = pd.DataFrame(records, columns=["stage", "measure", "value"])
    table["value"] = ["" if math.isnan(value) else f"{value:.6g}" for value in table["value"]]
    return add_notes(table, warnings), warnings


def add_notes(table: pd.DataFrame, messages: Sequence[str]) -> pd.DataFrame:
    """The table with a row (stage note, measure message) for each message."""
    notes = pd.DataFrame({"stage": "note", "measure": "message", "value": list(messages)})
    return pd.concat([table, notes.astype(table.dtypes)], ignore_index=True)


def _warnings(before: Measures, after: Measures) -> list[str]:
    messages = []
    left, at_first = after.batch_left(before), before.batch_left(before)
    if not math.isnan(left) and left > 0.8 * at_first:
        what = "concordance of replicated specimens"
        values = (before.concordance, after.concordance)
        if math.isnan(before.concordance):
            what = "variance that the batch explains within groups of equal biology"
            values = (before.within, after.within)
        messages.append(
            f"the correction leaves the batch as it was: {what} {values[0]:.3f} before, "
            f"{values[1]:.3f} after"
        )
    for head, accuracy in after.biology.items():
        loss = before.biology[head] - accuracy
        if loss > TOLERANCE + before.errors[head]:
            messages.append(
                f"the correction removes biology: balanced accuracy for {head} within batches "
                f"{before.biology[head]:.3f} before, {accuracy:.3f} after"
            )
    return messages
