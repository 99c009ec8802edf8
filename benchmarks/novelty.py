"""Leave each tissue out of training and see whether its samples are told from known ones.

python benchmarks/novelty.py RESULTS benchmarks/novelty.tsv

RESULTS is the results folder of a finished run, such as that of `make real`. A row a tissue, all of
whose samples are new; the known ones are the test samples of the other tissues. Normalisation,
correction, components, novelty and a small network are fitted without the tissue. Areas under the
ROC curve: of the score in use; of the distance in the whole space (no discriminant space); of the
network's energy and of its highest probability. flagged, false_alarms: shares of new and known
samples beyond the limit. noise, shuffled: the least score of random counts and of known samples
with their genes mixed up.
"""

import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy.special import log_softmax, logsumexp
from sklearn.metrics import roc_auc_score
from tissuestate.correction import SurrogateVariableCorrection
from tissuestate.features import PrincipalComponents
from tissuestate.normalise import Normaliser
from tissuestate.novelty import Novelty
from tissuestate.tasks import encode
from tissuestate.train import RECIPES, Hyperparameters, fit_network, predict_logits

HEADS = ("disease_state", "tissue")


def leave_out(tissue: str, counts: np.ndarray, obs: pd.DataFrame) -> dict[str, object]:
    new = (obs["tissue"] == tissue).to_numpy()
    train, validation, known = (
        (obs["split"] == part).to_numpy() & ~new for part in ("train", "validation", "test")
    )
    units = obs["unit"].to_numpy()
    normaliser = Normaliser().fit(counts[train], units[train])
    expression = normaliser.transform(counts, units)
    correction = SurrogateVariableCorrection("supervised", 10, controls=0.1)
    correction.fit(expression[train], obs.loc[train, ["tissue", "disease_state"]])
    corrected = correction.transform(expression)
    components = PrincipalComponents(min(300, int(train.sum()) // 4)).fit(corrected[train])

    def features(values: np.ndarray, units: np.ndarray) -> np.ndarray:
        return components.transform(correction.transform(normaliser.transform(values, units)))

    x = components.transform(corrected)
    novelty = Novelty().fit(x[train], (obs["tissue"] + "|" + obs["disease_state"])[train])
    novelty.calibrate(x[validation], obs["donor"][validation])
    score = novelty.score(x)

    classes = {head: sorted(set(obs[head][train])) for head in HEADS}
    codes = {head: encode(obs[head], names) for head, names in classes.items()}
    network = fit_network(
        *(x[train], {head: y[train] for head, y in codes.items()}),
        *(x[validation], {head: y[validation] for head, y in codes.items()}),
        classes,
        Hyperparameters(widths=(128, 64, 64, 32, 32)),
        epochs=30,
        seed=1,
        recipe=RECIPES["best"],
        threads=1,
        progress=False,
    ).network
    logits = predict_logits(network, x)["tissue"]

    def area(values: np.ndarray) -> float:
        return float(roc_auc_score(new[new | known], values[new | known]))

    rng = np.random.default_rng(0)
    shuffled = rng.permuted(counts[known], axis=1)
    noise = rng.negative_binomial(0.3, 0.001, (100, counts.shape[1])).astype(np.float32)
    return {
        "tissue": tissue,
        "new": int(new.sum()),
        "known": int(known.sum()),
        "auroc": area(score),
        "auroc_whole_space": area(np.hypot(*novelty._distances(x))),
        "auroc_energy": area(-logsumexp(logits, axis=1)),
        "auroc_probability": area(-log_softmax(logits, axis=1).max(axis=1)),
        "flagged": float((score[new] > 1).mean()),
        "false_alarms": float((score[known] > 1).mean()),
        "noise": float(novelty.score(features(noise, np.full(100, "count"))).min()),
        "shuffled": float(novelty.score(features(shuffled, units[known])).min()),
    }


def main() -> None:
    cohort = anndata.read_h5ad(Path(sys.argv[1]) / "cohort" / "cohort.h5ad")
    obs = cohort.obs.astype(str).replace("nan", "")
    rows = [leave_out(tissue, cohort.X, obs) for tissue in sorted(set(obs["tissue"]))]
    table = pd.DataFrame(rows)
    mean = table.drop(columns=["tissue", "new", "known"]).mean().to_dict()
    mean |= {"noise": table["noise"].min(), "shuffled": table["shuffled"].min()}
    whole = {"tissue": "mean (noise, shuffled: least)", "new": table["new"].sum(), **mean}
    table = pd.concat([table, pd.DataFrame([whole])], ignore_index=True)
    table["known"] = table["known"].astype("Int64")
    table.to_csv(sys.argv[2], sep="\t", index=False, float_format="%.3f")
    print(table.to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
