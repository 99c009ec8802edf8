"""Loss of accuracy by missing genes, which sets the limit for refusing samples."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.evaluation.tandem import apply_tandem

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # of the genes that are missing
DRAWS = 3  # of random genes
LOSS = 0.05  # of accuracy by missing genes, above which a sample is refused

# values (samples × genes, NaN = missing) → for each head probabilities, and whether samples are new
Predict = Callable[[np.ndarray], tuple[dict[str, np.ndarray], np.ndarray]]


def gene_masks(
    expression: np.ndarray, seed: int, shares: Sequence[float] = SHARES, draws: int = DRAWS
) -> list[tuple[str, float, np.ndarray]]:
    """Genes to remove: (kind, share, mask of genes) for each share and kind.

    Kinds: none; random, `draws` times; faint, the genes least expressed on average in `expression`
    (samples × genes), which platforms with fewer reads or probes lack.
    """
    genes = expression.shape[1]
    faintest = np.argsort(np.nanmean(expression, axis=0), kind="stable")
    rng = np.random.default_rng(seed)
    found = [("none", 0.0, np.zeros(genes, dtype=bool))]
    for share in (share for share in shares if share > 0):
        count = round(share * genes)
        for order in [*(rng.permutation(genes) for _ in range(draws)), faintest]:
            mask = np.zeros(genes, dtype=bool)
            mask[order[:count]] = True
            found.append(("faint" if order is faintest else "random", share, mask))
    return found


def missing_gene_curve(
    values: np.ndarray,
    labels: Mapping[str, np.ndarray],
    split: np.ndarray,
    classes: Mapping[str, Any],
    predict: Predict,
    sets: Sequence[tuple[str, float, np.ndarray]],
) -> pd.DataFrame:
    """Accuracy of each head after genes are removed, averaged over the draws of a kind.

    values: samples × genes as they came. labels: class numbers, -1 if unknown. Returns split, kind,
    missing (share of the genes), head, accuracy, loss (compared with no gene missing), new (share
    of samples recognised as new), n.
    """
    rows = []
    for kind, share, mask in sets:
        reduced = values.copy()
        reduced[:, mask] = np.nan
        probabilities, new = predict(reduced)
        for head, shares in apply_tandem(probabilities, classes).items():
            called = np.where(np.isnan(shares).any(axis=1), -2, np.nan_to_num(shares).argmax(1))
            for part in ("validation", "test"):
                chosen = (split == part) & (labels[head] >= 0)
                if chosen.any():
                    right = (called == labels[head])[chosen].mean()
                    rows.append((part, kind, share, head, right, new[chosen].mean(), chosen.sum()))
    columns = ["split", "kind", "missing", "head", "accuracy", "new", "n"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.groupby(["split", "kind", "missing", "head"], sort=False, as_index=False).mean()
    whole = table[table["kind"] == "none"].set_index(["split", "head"])["accuracy"]
    before = whole.loc[pd.MultiIndex.from_frame(table[["split", "head"]])].to_numpy()
    table.insert(5, "loss", before - table["accuracy"])
    return table.astype({"n": int})


def least_genes(curve: pd.DataFrame, loss: float = LOSS) -> float:
    """The smallest share of genes that a sample must have, from validation samples of a curve.

    At this share and above it, no head loses more than `loss` of its accuracy, whichever genes are
    missing.
    """
    validation = curve[curve["split"] == "validation"]
    worst = validation.groupby("missing")["loss"].max().sort_index()
    allowed = worst.index[(worst <= loss).cummin()]
    return round(1 - float(allowed.max()), 6) if len(allowed) else 1.0
