"""Calibration, coverage, abstention and missing genes on forty splits by donor, pooled.

python benchmarks/trust.py RESULTS benchmarks/trust.tsv

RESULTS is the results folder of a finished run, such as that of `make real`. For each split every
step is fitted again (small networks). One row per split and head, and one of all splits:
accuracy; ece, the expected calibration error, and ece_chance, what it would be on average if the
probabilities were exactly right; rms, the root mean square error without chance's part, and its
95 % interval (bootstrap over donors); coverage of the 90 % sets with its interval (binomial; of all
splits bootstrap over donors), their size and emptiness; share answered and
accuracy of the answers; accuracy with 20 % of the genes missing at random, estimated from the
others or left at the training mean.
"""

import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy.stats import binomtest
from small_model import classes_of, fit_chain
from tissuestate.cohort.donors import bootstrap_weights
from tissuestate.cohort.split import split_samples
from tissuestate.evaluation.abstention import abstention_reasons
from tissuestate.evaluation.calibration import calibrate_heads, calibration_error
from tissuestate.evaluation.sets import fit_sets
from tissuestate.evaluation.tandem import apply_tandem
from tissuestate.labels import encode

SEEDS = range(41, 81)  # splits 1 to 40 were looked at when the rule for temperatures was chosen
MISSING = 0.2


def outcomes(counts: np.ndarray, obs: pd.DataFrame, seed: int, subtypes_of: dict) -> pd.DataFrame:
    """One row per labelled test sample and head: its probabilities and what came of it."""
    obs = obs.assign(split=split_samples(obs.assign(sample=obs.index), seed=seed))
    classes = {**classes_of(obs), "subtypes_of": subtypes_of}
    chain = fit_chain(counts, obs)
    held = obs["split"].isin(["validation", "test"]).to_numpy()
    own, values, units = obs[held], counts[held], obs["unit"][held].tolist()
    x = chain.transform(values, units)
    logits = chain.logits(x)
    codes = {head: encode(own[head], classes[head]) for head in logits}
    calibrated, report = calibrate_heads(logits, codes, own["split"].to_numpy(), classes)
    sets = fit_sets(own, calibrated, classes)
    shown = apply_tandem(calibrated, classes)
    why = abstention_reasons(shown, classes, chain.novelty.is_new(x))
    holes = values.copy()
    rng = np.random.default_rng(seed)
    holes[:, rng.random(holes.shape[1]) < MISSING] = np.nan
    expression = chain.normaliser.transform(holes, units)
    called = {}
    for way, filled in (
        ("estimated", chain.imputation.transform(expression)),
        ("mean", expression),
    ):
        y = chain.project(filled)
        shares = chain.probabilities(y, report["temperatures"])
        called[way] = {
            head: np.nan_to_num(part, nan=-1).argmax(1)
            for head, part in apply_tandem(shares, classes).items()
        }
    rows = []
    for head, shares in shown.items():
        chosen = (own["split"] == "test").to_numpy() & (codes[head] >= 0)
        part, truth = np.nan_to_num(shares[chosen]), codes[head][chosen]
        members = sets.members(head, shares[chosen])
        rows.append(
            pd.DataFrame(
                {
                    "split": seed,
                    "head": head,
                    "donor": own.loc[chosen, "donor"].to_numpy(),
                    "truth": truth,
                    "shares": list(part),
                    "right": part.argmax(axis=1) == truth,
                    "covered": members[np.arange(len(truth)), truth],
                    "size": members.sum(axis=1),
                    "answered": np.array(why[head], dtype=object)[chosen] == "",
                    **{f"right_{way}": c[head][chosen] == truth for way, c in called.items()},
                }
            )
        )
    return pd.concat(rows)


def summary(rows: pd.DataFrame) -> dict[str, float]:
    shares, truth = np.stack(rows["shares"].tolist()), rows["truth"].to_numpy()
    donors = pd.factorize(rows["donor"])[0]
    error = calibration_error(shares, truth, donors)
    if rows["split"].nunique() == 1:
        covered = binomtest(int(rows["covered"].sum()), len(rows)).proportion_ci()
    else:  # a donor is in several splits
        weights = bootstrap_weights(donors, 1000, 0)
        drawn = weights @ rows["covered"].to_numpy(float) / weights.sum(axis=1)
        covered = np.percentile(drawn, [2.5, 97.5])
    return {
        "n": len(rows),
        "accuracy": rows["right"].mean(),
        "ece": error.expected,
        "ece_chance": error.chance,
        "rms": error.debiased,
        "rms_low": error.low,
        "rms_high": error.high,
        "coverage": rows["covered"].mean(),
        "coverage_low": covered[0],
        "coverage_high": covered[1],
        "size": rows["size"].mean(),
        "empty": (rows["size"] == 0).mean(),
        "answered": rows["answered"].mean(),
        "accuracy_answered": rows.loc[rows["answered"], "right"].mean(),
        "accuracy_20_missing": rows["right_estimated"].mean(),
        "accuracy_20_missing_at_mean": rows["right_mean"].mean(),
    }


def main() -> None:
    cohort = anndata.read_h5ad(Path(sys.argv[1]) / "cohort" / "cohort.h5ad")
    obs = cohort.obs.astype(str).replace("nan", "")
    pairs = obs.loc[obs["subtype"] != "", ["tissue", "subtype"]].drop_duplicates()
    subtypes_of = pairs.groupby("tissue")["subtype"].apply(sorted).to_dict()
    found = pd.concat([outcomes(cohort.X, obs, seed, subtypes_of) for seed in SEEDS])
    rows = []
    for head, part in found.groupby("head", sort=False):
        for seed, own in [*part.groupby("split"), ("all", part)]:
            rows.append({"head": head, "split": seed, **summary(own)})
    table = pd.DataFrame(rows)
    table.to_csv(sys.argv[2], sep="\t", index=False, float_format="%.4f")
    print(table.to_string(index=False, float_format="%.4f"))


if __name__ == "__main__":
    main()
