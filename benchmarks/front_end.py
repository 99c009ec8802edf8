"""Measure what travels to laboratories that were left out: front ends, penalties and models.

Usage: front_end.py COHORT.h5ad benchmarks/front_end.tsv [VARIANT ...]

COHORT.h5ad is results/cohort/cohort.h5ad of a run on several laboratories. Each laboratory of at
most half of the samples is left out in turn: a model is fitted on all other laboratories and scores
its samples. What it is fitted on (reference, estimates of missing genes, scale, components) comes
from fits that leave out a fifth of the laboratories at a time, so each without the one scored. The
first variant is the recipe in use; the others differ from it as they say. See left_out.py for the
measures; better and worse name those that differ from the recipe's beyond chance, on the same
laboratories. Rows of other variants in the table stay.
"""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from front_end_models import (
    Scores,
    fit_landmarks,
    fit_logistic,
    fit_networks,
    fit_ridge,
)
from left_out import LeftOut, compare
from scipy.special import ndtri
from scipy.stats import rankdata
from tissuestate.expression.correction import SurrogateVariableCorrection
from tissuestate.expression.imputation import ConditionalMean
from tissuestate.expression.normaliser import Normaliser
from tissuestate.features.transformers import PrincipalComponents
from tissuestate.files import atomic
from tissuestate.labels import NEOPLASTIC, STATES, has_class
from tissuestate.matrices.units import linear_scale
from tissuestate.tables import read_strings

MEASURED = 0.8  # least share of samples that measure a gene that is used
PARTS = 5  # of the laboratories, each left out of the fit of a front end
COMPONENTS = 600
FEW = 8  # laboratories left out where a model is slow to fit
COPIES = 700  # of samples, in a variant that changes some


@dataclass(frozen=True)
class Variant:
    """A way to score samples of a laboratory left out; the defaults are the recipe in use.

    front_ends: their scores are averaged. copies: makes changed copies of samples, for training.
    """

    front_ends: tuple[str, ...] = ("upper-quartile",)
    fit: Callable[..., Scores] = fit_ridge
    components: int = COMPONENTS
    corrected: bool = False
    all_genes: bool = False
    copies: Callable[["Cohort", np.random.Generator], "Copies"] | None = None
    few: bool = False


@dataclass(frozen=True)
class Copies:
    """Changed samples × genes, their unit, and the samples that each was made of."""

    X: np.ndarray
    units: np.ndarray
    first: np.ndarray
    second: np.ndarray


class FrontEnd:
    """Features of each sample from itself, fitted on others: samples × components."""

    def __init__(self, name: str, components: int, corrected: bool) -> None:
        self.name, self.components, self.corrected = name, components, corrected

    def fit(self, X: np.ndarray, units: np.ndarray, obs: pd.DataFrame) -> "FrontEnd":
        method = self.name if self.name in ("upper-quartile", "cpm") else "upper-quartile"
        self.normaliser = Normaliser(method).fit(X, units)
        if self.name == "quantile map":
            levels = np.linspace(0, 1, 1001)
            rows = self.normaliser.transform(X, units)
            self.reference = np.mean([np.nanquantile(row, levels) for row in rows], axis=0)
        Y = self._express(X, units)
        self.imputation = ConditionalMean().fit(Y)
        Y = self.imputation.transform(Y)
        if self.corrected:
            self.correction = SurrogateVariableCorrection("supervised", 10)
            Y = self.correction.fit(Y, obs[["tissue", "disease_state"]]).transform(Y)
        self.pca = PrincipalComponents(self.components).fit(Y)
        return self

    def transform(self, X: np.ndarray, units: np.ndarray) -> np.ndarray:
        Y = self.imputation.transform(self._express(X, units))
        return self.pca.transform(self.correction.transform(Y) if self.corrected else Y)

    def _express(self, X: np.ndarray, units: np.ndarray) -> np.ndarray:
        if self.name in ("upper-quartile", "cpm"):
            return self.normaliser.transform(X, units)
        Y = np.full(X.shape, np.nan, dtype=np.float32)
        for row, values in zip(Y, X, strict=True):
            measured = ~np.isnan(values)
            level = (rankdata(values[measured]) - 0.5) / measured.sum()
            if self.name == "ranks":
                row[measured] = ndtri(level)
            else:
                row[measured] = np.interp(level, np.linspace(0, 1, 1001), self.reference)
        return Y


@dataclass
class Cohort:
    """Samples × genes in their units, their labels, and the laboratories that are left out."""

    X: np.ndarray
    obs: pd.DataFrame
    features: dict[tuple, tuple[FrontEnd, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.laboratory = self.obs["laboratory"].to_numpy()
        self.units = self.obs["unit"].to_numpy()
        sizes = self.obs["laboratory"].value_counts()
        self.left_out = sizes.index[sizes <= len(self.obs) / 2].to_list()
        self.part = {name: i % PARTS for i, name in enumerate(self.left_out)}
        known = self.obs[has_class(self.obs)]
        self.classes = {"tissue": sorted(known["tissue"].unique()), "subtype": []}
        self.usual = (~np.isnan(self.X)).mean(axis=0) >= MEASURED

    @classmethod
    def read(cls, path: str | Path) -> "Cohort":
        data = anndata.read_h5ad(path)
        return cls(np.asarray(data.X, dtype=np.float32), data.obs.astype(str))

    def few(self) -> list[str]:
        """The largest laboratories of known samples and of others, `FEW` in all."""
        known = has_class(self.obs)
        counts = [self.obs[kind]["laboratory"].value_counts() for kind in (known, ~known)]
        largest, others = ([n for n in names.index if n in self.left_out] for names in counts)
        return list(dict.fromkeys([*largest[: FEW - 2], *others]))[:FEW]

    def front_end(self, variant: Variant, name: str, part: int) -> tuple[FrontEnd, np.ndarray]:
        """A front end fitted without a part of the laboratories, and its features of all."""
        components = max(COMPONENTS, variant.components)
        key = (name, components, variant.corrected, variant.all_genes, part)
        if key not in self.features:
            X = self.X if variant.all_genes else self.X[:, self.usual]
            fitted = np.array([self.part.get(own) != part for own in self.laboratory])
            front_end = FrontEnd(name, components, variant.corrected)
            front_end.fit(X[fitted], self.units[fitted], self.obs[fitted])
            self.features[key] = front_end, front_end.transform(X, self.units)
        return self.features[key]


def score_left_out(cohort: Cohort, variant: Variant) -> tuple[Scores, pd.DataFrame, float]:
    """Scores of the samples of laboratories left out, their labels, and the seconds of all fits."""
    obs, seconds, found, rows = cohort.obs, 0.0, [], []
    copies = variant.copies(cohort, np.random.default_rng(0)) if variant.copies else None
    for laboratory in cohort.few() if variant.few else cohort.left_out:
        own = cohort.laboratory == laboratory
        of_each = []
        for name in variant.front_ends:
            front_end, x = cohort.front_end(variant, name, cohort.part[laboratory])
            x_train, obs_train = x[~own], obs[~own]
            if copies:
                usable = ~own[copies.first] & ~own[copies.second]
                changed = front_end.transform(copies.X[usable], copies.units[usable])
                x_train = np.vstack([x_train, changed])
                obs_train = pd.concat([obs_train, obs.iloc[copies.first[usable]]])
            started = time.process_time()
            first = slice(variant.components)  # of its components
            of_each.append(
                variant.fit(x_train[:, first], obs_train, x[own][:, first], cohort.classes)
            )
            seconds += time.process_time() - started
        found.append({key: np.mean([s[key] for s in of_each], axis=0) for key in of_each[0]})
        rows.append(np.flatnonzero(own))
    scores = {key: np.concatenate([own[key] for own in found]) for key in found[0]}
    return scores, obs.iloc[np.concatenate(rows)], seconds


def thin(cohort: Cohort, rng: np.random.Generator) -> Copies:
    """Counts of 1 to 5 million reads, drawn from those of samples that have counts."""
    usable = np.flatnonzero(cohort.units == "count")
    rows = rng.choice(usable, COPIES, replace=len(usable) < COPIES)
    X = cohort.X[rows][:, cohort.usual].astype(float)
    depth = rng.uniform(1e6, 5e6, len(rows))
    share = np.minimum(depth / np.nansum(cohort.X[rows], axis=1), 1)
    missing = np.isnan(X)
    X = np.where(missing, np.nan, rng.poisson(np.where(missing, 0, X) * share[:, None]))
    return Copies(X, np.full(len(rows), "count"), rows, rows)


def drop_genes(cohort: Cohort, rng: np.random.Generator) -> Copies:
    """Samples without up to half of their genes, in twenty blocks of random genes."""
    rows = rng.choice(len(cohort.obs), COPIES, replace=False)
    X = cohort.X[rows][:, cohort.usual]
    block = rng.integers(20, size=X.shape[1])
    for row in X:
        row[np.isin(block, rng.choice(20, rng.integers(2, 11), replace=False))] = np.nan
    return Copies(X, cohort.units[rows], rows, rows)


def mix(cohort: Cohort, rng: np.random.Generator) -> Copies:
    """Tumours with a tenth to a half of other tissue: two of three with tissue of their own organ.

    The others are mixed with healthy liver or, if samples of no class are called so, lymph node.
    """
    obs = cohort.obs
    tumours = np.flatnonzero((obs["disease_state"] == NEOPLASTIC).to_numpy())
    normal = has_class(obs).to_numpy() & obs["disease_state"].isin(STATES[:2]).to_numpy()
    hosts = (normal & (obs["tissue"] == "liver").to_numpy()) | np.array(
        ["lymph" in name.lower() for name in obs.index + obs["specimen"]]
    )
    first = rng.choice(tumours, COPIES, replace=False)
    second = np.empty_like(first)
    for place, row in enumerate(first):
        own = normal & (obs["tissue"] == obs["tissue"].iloc[row]).to_numpy()
        second[place] = rng.choice(np.flatnonzero(own if own.any() and place % 3 else hosts))
    share = rng.uniform(0.5, 0.9, len(first))[:, None]
    scaled = []
    for rows in (first, second):
        X = [linear_scale(cohort.X[row][cohort.usual], cohort.units[row]) for row in rows]
        scaled.append([row * 1e6 / np.nansum(row) for row in X])
    X = share * np.array(scaled[0]) + (1 - share) * np.array(scaled[1])
    return Copies(X, np.full(len(first), "normalised"), first, second)


THREE = ("upper-quartile", "cpm", "ranks")
NETWORKS = partial(Variant, few=True, components=300)
VARIANTS = {
    "recipe in use: upper quartile, shift penalty, background": Variant(),
    "counts per million": Variant(("cpm",)),
    "ranks": Variant(("ranks",)),
    "frozen quantile map": Variant(("quantile map",)),
    "upper quartile and counts per million": Variant(THREE[:2]),
    "upper quartile, counts per million and ranks": Variant(THREE),
    "10 surrogate variables": Variant(corrected=True),
    "no shift penalty": Variant(fit=partial(fit_ridge, strength=0.0)),
    "shift penalty 1/3": Variant(fit=partial(fit_ridge, strength=1 / 3)),
    "shift penalty × 3": Variant(fit=partial(fit_ridge, strength=3.0)),
    "no background class": Variant(fit=partial(fit_ridge, background=False)),
    "every sample weighs the same": Variant(fit=partial(fit_ridge, weighted=False)),
    "300 components": Variant(components=300),
    "1,200 components": Variant(components=1200),
    "Gaussian kernel with landmarks": Variant(fit=fit_landmarks),
    "Gaussian kernel with landmarks, three front ends": Variant(THREE, fit=fit_landmarks),
    "logistic regression, shifts whitened": Variant(fit=fit_logistic),
    "logistic regression, no whitening": Variant(fit=partial(fit_logistic, strength=0.0)),
    "thinned to 1 to 5 million reads": Variant(copies=thin),
    "genes dropped in blocks": Variant(copies=drop_genes),
    "mixed with other tissue": Variant(copies=mix),
    "recipe in use on fewer laboratories": Variant(few=True),
    "networks of the paper's shape": NETWORKS(fit=fit_networks),
    "networks of the paper's shape, shift noise": NETWORKS(fit=partial(fit_networks, noise=True)),
    "networks with a linear path, shift noise": NETWORKS(
        fit=partial(fit_networks, noise=True, recipe="best")
    ),
    "genes of 80 % of full data sets": Variant(all_genes=True),
}


def describe(name: str, judged: LeftOut, draws: pd.DataFrame, reference: pd.DataFrame) -> dict:
    """The row of a variant, but for its seconds and spread."""
    better, worse = compare(draws, reference)
    row = {"variant": name, "laboratories": len(judged.laboratories), "samples": len(judged.codes)}
    for measure, value in judged.measures().items():
        low, high = draws[measure].quantile([0.025, 0.975])
        row |= {
            measure: f"{value:.3f}",
            f"{measure}_low": f"{low:.3f}",
            f"{measure}_high": f"{high:.3f}",
        }
    return row | judged.false_tumours() | {"better": ", ".join(better), "worse": ", ".join(worse)}


def append_row(path: Path, row: dict) -> None:
    """Write a row into the table, in place of one of the same variant, in the order of variants."""
    rows = [row]
    if path.is_file():
        earlier = read_strings(path)
        rows += earlier[earlier["variant"] != row["variant"]].to_dict("records")
    order = list(VARIANTS)
    table = pd.DataFrame(rows, columns=list(row)).sort_values(
        "variant", key=lambda names: names.map(order.index)
    )
    with atomic(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, lineterminator="\n")


def main(cohort_path: str, output: str, *names: str) -> None:
    cohort = Cohort.read(cohort_path)
    recipe = next(iter(VARIANTS))
    first, labels, seconds = score_left_out(cohort, VARIANTS[recipe])
    tissues = cohort.classes["tissue"]
    references: dict[Sequence[str], pd.DataFrame] = {}
    for name in names or VARIANTS:
        scores, obs = first, labels
        if name != recipe:
            scores, obs, seconds = score_left_out(cohort, VARIANTS[name])
        judged = LeftOut(scores, obs, tissues)
        draws = judged.resamples()
        key = tuple(judged.laboratories)
        if key not in references:
            same = labels["laboratory"].isin(key).to_numpy()
            own = {question: values[same] for question, values in first.items()}
            references[key] = LeftOut(own, labels[same], tissues).resamples()
        row = describe(name, judged, draws, references[key])
        row["seed_spread"] = f"{scores['spread'].mean():.3f}" if "spread" in scores else ""
        row["seconds"] = f"{seconds:.0f}"
        append_row(Path(output), row)
        print({k: v for k, v in row.items() if not k.endswith(("_low", "_high"))}, flush=True)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main(*sys.argv[1:])
