"""Training, validation and test samples, drawn from the sample sheet alone."""

import hashlib
import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from tissuestate.errors import InputError
from tissuestate.labels import BACKGROUND, HEADS, SPLITS, has_class

_FILL = (0, 2, 1)  # where a class's first donors go: train, then test, then validation

log = logging.getLogger(__name__)


def split_samples(
    samples: pd.DataFrame,
    mode: Literal["donor", "random"] = "donor",
    fractions: Sequence[float] = (0.70, 0.15, 0.15),
    seed: int = 0,
) -> pd.Series:
    """Assign each sample to train, validation or test, stratified by state, tissue and subtype.

    In mode `donor` all samples of a donor go together; in mode `random` each sample goes for
    itself, as in the paper. `fractions` are the shares of train, validation and test. A stratum
    with few donors gives its first to train, its second to test, its third to validation. The
    result depends on the labels, donors and seed, not on the order of the rows. Samples of no class
    get `background` and change nothing for the others.

    Raises InputError for fractions that are no shares, and if no sample has a class.
    """
    shares = _check_fractions(fractions)
    if mode not in ("donor", "random"):
        raise InputError(f"split mode {mode!r} is unknown; use 'donor' or 'random'.")
    result = pd.Series(BACKGROUND, index=samples.index, name="split")
    samples = samples[has_class(samples)]
    if samples.empty:
        raise InputError("no sample has a class; add samples of the class table's tissues.")
    column = "donor" if mode == "donor" else "sample"
    names, group = np.unique(samples[column].to_numpy(dtype=str), return_inverse=True)
    keys, strata = _strata(samples)
    chosen = _assign_parts(group, _rank_names(names, seed), keys, shares, _FILL)
    _cover_classes(samples, group, chosen)
    split = pd.Series(np.array(SPLITS)[chosen[group]], index=samples.index)
    result[samples.index] = split
    log.info("split: %s", ", ".join(f"{n} {part}" for part, n in result.value_counts().items()))
    _log_split(samples, split, strata, names[group])
    return result


def fold_samples(samples: pd.DataFrame, folds: int, seed: int = 0) -> pd.Series:
    """The fold of each sample, 1 to `folds`; donors stay whole, folds are stratified."""
    names, group = np.unique(samples["donor"].to_numpy(dtype=str), return_inverse=True)
    if not 2 <= folds <= len(names):
        raise InputError(
            f"{folds} folds of {len(names)} donors: give at least 2 and at most one per donor."
        )
    shares = np.full(folds, 1 / folds)
    chosen = _assign_parts(
        group, _rank_names(names, seed), _strata(samples)[0], shares, range(folds)
    )
    return pd.Series(chosen[group] + 1, index=samples.index, name="fold")


def _strata(samples: pd.DataFrame) -> tuple[list[np.ndarray], np.ndarray]:
    """Codes of each sample's stratum and of its class in every head, and the stratum's name."""
    strata = samples[list(HEADS)].agg(" × ".join, axis=1).str.removesuffix(" × ")
    names, stratum = np.unique(strata.to_numpy(dtype=str), return_inverse=True)
    classes = [np.unique(samples[head].to_numpy(str), return_inverse=True)[1] for head in HEADS]
    return [stratum, *classes], names[stratum]


def _check_fractions(fractions: Sequence[float]) -> np.ndarray:
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or not (
        (shares >= 0).all() and shares[0] and abs(shares.sum() - 1) < 1e-6
    ):
        raise InputError(
            f"split fractions {list(fractions)}: expected three shares of train, validation and "
            "test that sum to 1, such as [0.70, 0.15, 0.15]."
        )
    return shares


def _rank_names(names: np.ndarray, seed: int) -> np.ndarray:
    """The rank of each name in a shuffle by hash: a new name leaves the order of the others."""
    digests = [hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8] for name in names]
    return np.argsort(np.argsort([int.from_bytes(digest) for digest in digests]))


def _assign_parts(
    group: np.ndarray,
    rank: np.ndarray,
    keys: list[np.ndarray],
    shares: np.ndarray,
    fill: Sequence[int],
) -> np.ndarray:
    """The part (0, 1 ...) of each group: rarest strata first, to the part that lacks it most.

    A group goes where it adds least to Σ (n - target)² / target, over the strata and classes it
    has samples in (iterative stratification: Sechidis et al. 2011, for groups). The first groups
    of a stratum go to the parts in the order of `fill`.
    """
    groups, strata = len(rank), keys[0].max() + 1
    offsets = np.cumsum([0] + [key.max() + 1 for key in keys])
    cells = np.stack([key + offset for key, offset in zip(keys, offsets, strict=False)])
    size = np.bincount(cells.ravel(), minlength=offsets[-1]).astype(float)
    targets = size[:, None] * shares
    filled = np.zeros_like(targets)
    donors = np.zeros((strata, len(shares)), dtype=int)  # groups of each stratum in each part

    order = np.argsort(rank[group], kind="stable")
    starts = np.searchsorted(rank[group][order], np.arange(groups + 1))
    by_rank = np.argsort(rank)
    profiles = {}
    members: list[list[int]] = [[] for _ in range(strata)]
    for r in range(groups):
        rows = order[starts[r] : starts[r + 1]]
        profiles[by_rank[r]] = np.unique(cells[:, rows], return_counts=True)
        for s in np.unique(keys[0][rows]):
            members[s].append(by_rank[r])

    chosen = np.full(groups, -1)
    for s in sorted(range(strata), key=lambda s: (len(members[s]), s)):
        # donors with many samples first: the small ones then even out what they left
        waiting = [g for g in members[s] if chosen[g] < 0]
        waiting.sort(key=lambda g: -profiles[g][1].sum())
        for g in waiting:
            where, count = profiles[g]
            empty = [k for k in fill if shares[k] > 0 and donors[s, k] == 0]
            gap = filled[where] - targets[where]
            added = (2 * gap + count[:, None]) * (count / size[where])[:, None]
            cost = np.where(shares > 0, added.sum(0) / np.maximum(shares, 1e-9), np.inf)
            first_donors = empty and len(members[s]) - donors[s].sum() <= len(empty)
            k = empty[0] if first_donors else int(np.argmin(cost))
            chosen[g] = k
            filled[where, k] += count
            donors[where[where < strata], k] += 1
    return chosen


def _cover_classes(samples: pd.DataFrame, group: np.ndarray, chosen: np.ndarray) -> None:
    """Move a donor to train for each class that has none there, in place."""
    for head in HEADS:
        labels = samples[head].to_numpy(str)
        for name in sorted(set(labels) - {""} - set(labels[chosen[group] == 0])):
            chosen[group[np.flatnonzero(labels == name)[0]]] = 0
            log.warning("%s %r had no training sample: one donor was moved to train", head, name)


def _log_split(
    samples: pd.DataFrame, split: pd.Series, strata: np.ndarray, groups: np.ndarray
) -> None:
    frame = pd.DataFrame({"stratum": strata, "group": groups, "split": split.to_numpy()})
    for name, part in frame.groupby("stratum"):
        if part["group"].nunique() < 3:
            log.warning(
                "%s has %d donor(s) only: %s",
                name,
                part["group"].nunique(),
                ", ".join(f"{n} {k}" for k, n in part["split"].value_counts().items()),
            )
    for head in HEADS:
        for part in ("validation", "test"):
            here = set(samples.loc[split == part, head])
            absent = sorted(set(samples[head]) - {""} - here)
            if absent and here:
                log.warning("no %s sample of %s %s", part, head, ", ".join(absent))
