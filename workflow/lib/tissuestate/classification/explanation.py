"""Contributions of genes to a call: its logit difference, divided among the genes.

The difference is the logit of one class minus the mean logit of its competitors, and is compared
with that of the average training sample. Integrated gradients (Sundararajan, Taly & Yan 2017)
divide it among the features. Since correction, scaling and components are affine, the straight path
between two samples' features is that between their expressions, and the contributions of genes
follow exactly.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tissuestate.arrays import load_arrays
from tissuestate.errors import InputError
from tissuestate.evaluation.predictions import read_predictions
from tissuestate.expression.levels import ClassLevels
from tissuestate.features.transformers import PrincipalComponents
from tissuestate.labels import HEADS, TASKS
from tissuestate.laboratories.answers import RidgeModel

if TYPE_CHECKING:
    from tissuestate.classification.classifier import Classifier

STEPS = (32, 128, 512, 2048, 8192)  # of the integral; more if fewer do not suffice
WITHIN = 0.005  # share of the difference by which the contributions' sum may differ from it
GENES = 20  # shown of each sample and head
SHOWN = 10  # of each class in the table of the report's page
LEADING = 5  # of each class in its map
EXAMPLES = 50  # test samples per class, at most
BLOCK = 64  # samples explained at once
ROWS = 4096  # of the network's input at once
COLUMNS = (
    *("sample", "head", "class", "rank", "gene", "contribution", "expression", "average"),
    *("range_low", "range_high", "difference"),
)

# Mean gradients of contrasts of logits on straight paths (samples × features), and the contrasts'
# differences; takes the features of the start and of the ends, and the contrasts' weights.
Integral = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Explanation:
    """Logit differences of one head for some samples, and each gene's part in them.

    difference: compared with that of the average training sample, one value per sample.
    contributions: samples × genes; a row adds up to its difference, within 1 % by the error of the
    integral.
    """

    difference: np.ndarray
    contributions: np.ndarray


class Explainer:
    """Explains the calls of a classifier; those of networks need torch and captum."""

    def __init__(self, classifier: "Classifier") -> None:
        self.classifier, self.chain = classifier, classifier.chain
        self.integrals = _integrals(classifier)
        self.average = self.chain.correction.mean_
        self.baseline = self.chain.project(self.average[None, :])
        levels = classifier.folder / "levels.npz"
        self.levels = ClassLevels.from_arrays(load_arrays(levels)) if levels.exists() else None

    def usual_range(self, head: str, name: str, genes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the usual levels of genes (by number) in a class; NaN if they are not known."""
        if self.levels is None:
            return np.full(len(genes), np.nan), np.full(len(genes), np.nan)
        return self.levels.range_of(head, name, genes)

    def explain(self, expression: np.ndarray, head: str, classes: Sequence[str]) -> Explanation:
        """The explanation of `classes` (one per sample) compared with their competitors.

        expression: samples × genes as `Classifier.expression` gives it, NaN if missing: the
        contribution of a missing gene's estimate counts for the genes that it was estimated from. A
        subtype competes with the subtypes of its tissue, any other class with all of its head; one
        without a competitor gives zeros.
        """
        x = self.chain.project(self.chain.imputation.transform(expression))
        contrasts = np.array([self._contrast(head, name) for name in classes])
        slopes, difference = self.integrals[head](self.baseline, x, contrasts)
        return Explanation(difference, self._to_genes(slopes, expression))

    def _contrast(self, head: str, name: str) -> np.ndarray:
        """Weights of the head's logits: 1 for the class, minus a share for each competitor."""
        names = list(self.classifier.description["classes"][head])
        groups = self.classifier.description["subtypes_of"].values() if head == "subtype" else []
        group = next((group for group in groups if name in group), names)
        others = [other for other in names if other in group and other != name]
        weights = np.zeros(len(names))
        if others:
            weights[names.index(name)] = 1.0
            weights[[names.index(other) for other in others]] = -1.0 / len(others)
        return weights

    def _to_genes(self, slopes: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """Contributions of genes (samples × genes) from mean gradients of the features."""
        correction, features = self.chain.correction, self.chain.features
        if isinstance(features, PrincipalComponents):
            by_gene = slopes @ features.components_
        else:
            chosen = getattr(features, "selected_", np.arange(len(features.mean_)))
            by_gene = np.zeros(expression.shape)
            by_gene[:, chosen] = slopes
        by_gene = by_gene / features.scale_
        by_gene -= (by_gene @ correction.coefficients_.T) @ correction.loadings_
        by_gene = self.chain.imputation.carry_slopes_back(by_gene, np.isnan(expression))
        return by_gene * np.nan_to_num(expression - self.average)


def _integrals(classifier: "Classifier") -> dict[str, Integral]:
    """By head the function that integrates the gradients of its logits; see `Integral`."""
    models = classifier.chain.networks
    if isinstance(models[0], RidgeModel):
        return {head: partial(models[0].mean_slopes, head) for head in models[0].heads}
    if missing := [name for name in ("captum", "torch") if find_spec(name) is None]:
        raise InputError(
            f"{classifier.folder}: networks are explained with {' and '.join(missing)}; install "
            "the extra: tissuestate[explain]."
        )
    from tissuestate.models.network import load_network

    return {
        head: partial(integrate_gradients, load_network(classifier.folder / task).double(), head)
        for task, frozen in zip(TASKS, models, strict=False)
        for head in frozen.heads
    }


def integrate_gradients(
    network: Any, head: str, start: np.ndarray, ends: np.ndarray, contrasts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The integral of a network's head, in double precision."""
    import torch
    from captum.attr import IntegratedGradients

    def contrast(inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return (network(inputs)[head] * weights).sum(dim=1)

    gradients = IntegratedGradients(contrast, multiply_by_inputs=False)
    first, last, weights = (torch.from_numpy(np.float64(a)) for a in (start, ends, contrasts))
    with torch.no_grad():
        difference = contrast(last, weights) - contrast(first.expand_as(last), weights)
    slopes = torch.zeros_like(last)
    open_ = torch.arange(len(last))
    for steps in STEPS:
        slopes[open_] = gradients.attribute(
            last[open_],
            baselines=first,
            additional_forward_args=weights[open_],
            n_steps=steps,
            method="riemann_middle",
            internal_batch_size=max(ROWS, len(open_)),
        )
        total = (slopes * (last - first)).sum(dim=1)
        open_ = torch.nonzero((total - difference).abs() > WITHIN * difference.abs())[:, 0]
        if not len(open_):
            break
    return slopes.numpy(), difference.numpy()


def top_genes(
    explainer: Explainer, calls: pd.DataFrame, expression: Iterator[pd.DataFrame]
) -> pd.DataFrame:
    """The genes with the largest contributions to each sample's calls; columns are `COLUMNS`.

    calls: one row per sample, with the called class of each head ('' = none). expression: blocks as
    `Classifier.expression` gives them. contribution and difference (the sum over all genes) are in
    logits; expression, average (of the training samples) and range (of nearly all training samples
    of the class) are in log2 after normalisation, before correction.
    """
    parts = []
    for head, samples, values, found in _explain_blocks(explainer, calls, expression):
        order = np.argsort(-np.abs(found.contributions), axis=1, kind="stable")[:, :GENES]
        for row, sample in enumerate(samples):
            genes, called = order[row], str(calls.at[sample, head])
            low, high = explainer.usual_range(head, called, genes)
            parts.append(
                pd.DataFrame(
                    {
                        "sample": sample,
                        "head": head,
                        "class": called,
                        "rank": np.arange(1, len(genes) + 1),
                        "gene": np.array(explainer.classifier.genes)[genes],
                        "contribution": found.contributions[row, genes],
                        "expression": values[row, genes],
                        "average": explainer.average[genes],
                        "range_low": low,
                        "range_high": high,
                        "difference": found.difference[row],
                    }
                )
            )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def explain_calls(
    explainer: Explainer, frames: Sequence[tuple[pd.DataFrame, str]], calls: pd.DataFrame
) -> pd.DataFrame:
    """The genes behind each call, with the checksum of its input and the bundle's fingerprint.

    frames: samples × ids with their unit. calls: one row per sample, as in the table of calls.
    """
    called = calls.index[calls["refused"] == ""]
    found = [pd.DataFrame(columns=list(COLUMNS))]
    for frame, unit in frames:
        part = frame.loc[frame.index.isin(called)]
        if len(part):
            found.append(top_genes(explainer, calls, explainer.classifier.expression(part, unit)))
    table = pd.concat([part for part in found if len(part)] or found, ignore_index=True)
    return table.join(calls[["input_sha256", "bundle_fingerprint"]], on="sample")


def class_genes(
    explainer: Explainer, calls: pd.DataFrame, expression: Iterator[pd.DataFrame]
) -> pd.DataFrame:
    """The genes with the largest mean contributions to each class, one row per gene.

    Of each class also those that are among the first of another class of its head. Columns: head,
    class, rank, gene, contribution (mean over the samples of the class, logits), share (of those
    samples in which it speaks for the class), level ('higher' or 'lower' than in the average
    training sample), difference (the sum over all genes, logits), samples.
    """
    genes = np.array(explainer.classifier.genes)
    sums: dict[tuple[str, str], list[Any]] = {}
    for head, samples, values, found in _explain_blocks(explainer, calls, expression):
        classes = calls.loc[samples, head].to_numpy()
        for name in np.unique(classes):
            rows = found.contributions[classes == name]
            deviation = np.nan_to_num(values[classes == name] - explainer.average)
            new = [rows.sum(axis=0), (rows > 0).sum(axis=0), deviation.sum(axis=0)]
            new.append(np.array(len(rows)))
            old = sums.get((head, name))
            sums[head, name] = (
                new if old is None else [a + b for a, b in zip(old, new, strict=True)]
            )
    orders = {key: np.argsort(-found[0], kind="stable") for key, found in sums.items()}
    leading: dict[str, set[int]] = {}
    for (head, _), order in orders.items():
        leading.setdefault(head, set()).update(order[:LEADING].tolist())
    parts = []
    for (head, name), (total, speaking, deviation, count) in sums.items():
        order = orders[head, name]
        is_shown = np.isin(order, list(leading[head]))
        is_shown[:GENES] = True
        ranks, order = np.flatnonzero(is_shown), order[is_shown]
        parts.append(
            pd.DataFrame(
                {
                    "head": head,
                    "class": name,
                    "rank": ranks + 1,
                    "gene": genes[order],
                    "contribution": total[order] / count,
                    "share": speaking[order] / count,
                    "level": np.where(deviation[order] > 0, "higher", "lower"),
                    "difference": total.sum() / count,
                    "samples": int(count),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def correct_calls(
    cohort: str | Path, predictions: str | Path
) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Raw values, units and correct calls of test samples, at most 50 per class.

    From the cohort (h5ad) and a model's table of predictions; wrong calls, and calls of a class
    that has enough samples already, are ''.
    """
    import anndata

    table = read_predictions(predictions).set_index("sample")
    table = table[table["split"] == "test"]
    calls = pd.DataFrame("", table.index, list(HEADS))
    for head in (head for head in HEADS if f"{head}_call" in table):
        right = table[
            (table[f"{head}_true"] == table[f"{head}_call"]) & (table[f"{head}_true"] != "")
        ]
        chosen = right.groupby(f"{head}_true", sort=False).head(EXAMPLES)
        calls.loc[chosen.index, head] = chosen[f"{head}_true"]
    calls = calls[(calls != "").any(axis=1)]
    data = anndata.read_h5ad(cohort)[calls.index].to_memory()
    values = data.X.toarray() if hasattr(data.X, "toarray") else np.asarray(data.X)
    frame = pd.DataFrame(values, calls.index, data.var_names.astype(str))
    return frame, data.obs["unit"].astype(str), calls


def class_gene_facts(table: pd.DataFrame) -> dict[str, Any]:
    """Facts of the page on `class_genes`: by head its classes and the map of their first genes.

    Contributions are parts of the difference of their class. A class has its first genes, each with
    whether it is higher than average and what it contributes to each class of the head (None if
    unknown); part: what the leading ones make up. largest: of what the leading ones contribute.
    alone: classes without a competitor, which have no difference. median_part: over all classes.
    """
    heads = {head: _head_genes(rows) for head, rows in table.groupby("head", sort=False)}
    parts = [row["part"] for found in heads.values() for row in found["classes"]]
    median = float(np.median(parts)) if parts else 0.0
    return {"heads": heads, "median_part": median, "leading": LEADING}


def _head_genes(rows: pd.DataFrame) -> dict[str, Any]:
    """The classes of a head with their first genes, and what these contribute to each class."""
    compared = rows[rows["difference"] != 0]
    compared = compared.assign(part=compared["contribution"] / compared["difference"])
    cells = compared.pivot(index="gene", columns="class", values="part")
    cells = cells.astype(object).where(cells.notna(), None)
    classes = []
    for name, own in compared.groupby("class"):
        first = own.nsmallest(SHOWN, "rank")
        genes = [
            {
                "gene": row.gene,
                "higher": row.level == "higher",
                "part": row.part,
                "cells": cells.loc[row.gene].to_dict(),
            }
            for row in first.itertuples()
        ]
        part = float(first["part"].iloc[:LEADING].sum())
        samples = int(own["samples"].iloc[0])
        classes.append({"name": name, "genes": genes, "part": part, "samples": samples})
    shown = [one["cells"].values() for row in classes for one in row["genes"][:LEADING]]
    largest = max((abs(part) for parts in shown for part in parts if part), default=1.0)
    alone = sorted(set(rows["class"]) - set(compared["class"]))
    return {"classes": classes, "largest": largest, "alone": alone}


def _explain_blocks(
    explainer: Explainer, calls: pd.DataFrame, expression: Iterator[pd.DataFrame]
) -> Iterator[tuple[str, list[str], np.ndarray, Explanation]]:
    """Head, names, expression and explanation of a few samples at a time."""
    for block in expression:
        for start in range(0, len(block), BLOCK):
            part = block.iloc[start : start + BLOCK]
            for head in explainer.integrals:
                called = part.loc[(calls.loc[part.index, head] != "").to_numpy()]
                if len(called):
                    values = called.to_numpy(np.float64)
                    found = explainer.explain(values, head, calls.loc[called.index, head].tolist())
                    yield head, called.index.tolist(), values, found
