"""What the correction chosen by default costs or gains each head, on five splits by donor.

python benchmarks/correction_heads.py RESULTS benchmarks/correction_heads.tsv

RESULTS is the results folder of a finished run, such as that of `make real`. A row a split and
head (`all`: of the five together): accuracy on test donors with the default correction and with
none, the same networks otherwise; concordance of replicated specimens before and after, those of
training samples and those that the correction never saw.
"""

import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from small_model import COMPONENTS, EPOCHS, SETTINGS, classes_of
from tissuestate.correction import SurrogateVariableCorrection
from tissuestate.diagnostics import concordance, principal_components, specimens
from tissuestate.features import PrincipalComponents
from tissuestate.split import split_samples
from tissuestate.tasks import TASKS, encode, select
from tissuestate.train import RECIPES, fit_task, predict_logits


def concordance_of(expression: np.ndarray, obs: pd.DataFrame) -> float:
    """Share of replicated specimens that are each other's nearest neighbours."""
    centred = expression.astype(np.float64) - expression.mean(axis=0)
    return concordance(principal_components(centred @ centred.T), specimens(obs))


def one_split(expression: np.ndarray, obs: pd.DataFrame, seed: int) -> list[dict[str, object]]:
    obs = obs.assign(sample=obs.index)
    obs["split"] = split_samples(obs, seed=seed)
    train, test = ((obs["split"] == part).to_numpy() for part in ("train", "test"))
    classes = classes_of(obs)
    truth = {head: encode(obs[head][test], names) for head, names in classes.items()}
    rows = {head: {"split": seed, "head": head} for head in classes}
    for method in ("auto", "none"):
        correction = SurrogateVariableCorrection(method, seed=seed)
        design = obs.loc[train, ["tissue", "disease_state"]]
        correction.fit(expression[train], design, obs=obs[train])
        corrected = correction.transform(expression)
        x = PrincipalComponents(COMPONENTS).fit(corrected[train]).transform(corrected)
        shared = {
            f"concordance_{method}": concordance_of(corrected[train], obs[train]),
            f"concordance_held_out_{method}": concordance_of(corrected[~train], obs[~train]),
        }
        if method == "auto":
            shared |= {"method": correction.method_, "n_sv": correction.n_sv_}
        for task in TASKS:
            network = fit_task(
                select(x, obs, classes, task),
                SETTINGS,
                epochs=EPOCHS,
                seed=seed,
                recipe=RECIPES["best"],
                threads=1,
                progress=False,
            ).network
            for head, logits in predict_logits(network, x[test]).items():
                known = truth[head] >= 0
                right = logits[known].argmax(axis=1) == truth[head][known]
                rows[head] |= shared | {"n": int(known.sum()), f"right_{method}": int(right.sum())}
    return list(rows.values())


def main() -> None:
    normalised = anndata.read_h5ad(Path(sys.argv[1]) / "expression" / "normalised.h5ad")
    obs = normalised.obs.astype(object).astype(str).replace("nan", "")
    table = pd.DataFrame([row for seed in range(5) for row in one_split(normalised.X, obs, seed)])
    means = ["concordance_none", "concordance_auto"]
    means += ["concordance_held_out_none", "concordance_held_out_auto"]
    how = {name: "mean" for name in means} | {n: "sum" for n in ("n", "right_none", "right_auto")}
    whole = table.groupby("head", sort=False).agg(how).reset_index().assign(split="all")
    table = pd.concat([table, whole], ignore_index=True)
    for method in ("none", "auto"):
        table[f"accuracy_{method}"] = table.pop(f"right_{method}") / table["n"]
    table["gain"] = table["accuracy_auto"] - table["accuracy_none"]
    table["n_sv"] = table["n_sv"].astype("Int64")
    table.to_csv(sys.argv[2], sep="\t", index=False, float_format="%.4f")
    print(table.to_string(index=False, float_format="%.4f"))


if __name__ == "__main__":
    main()
