"""Leave each tissue out of training and see whether its samples are distinguished from known ones.

python benchmarks/novelty.py RESULTS benchmarks/novelty.tsv

RESULTS is the results folder of a finished run, such as that of `make real`. One row per
tissue, all of
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
from small_model import fit_chain


def leave_out(tissue: str, counts: np.ndarray, obs: pd.DataFrame) -> dict[str, object]:
    new = (obs["tissue"] == tissue).to_numpy()
    known = (obs["split"] == "test").to_numpy() & ~new
    chain = fit_chain(counts, obs.assign(split=obs["split"].where(~new, "")), ("multitask",))
    asked = new | known
    units = obs["unit"][asked].tolist()
    x = chain.transform(counts[asked], units)
    new, known = new[asked], known[asked]
    score = chain.novelty.score(x)
    logits = chain.logits(x)["tissue"]

    def area(values: np.ndarray) -> float:
        return float(roc_auc_score(new, values))

    rng = np.random.default_rng(0)
    shuffled = rng.permuted(counts[asked][known], axis=1)
    noise = rng.negative_binomial(0.3, 0.001, (100, counts.shape[1])).astype(np.float32)
    own_units = [unit for unit, k in zip(units, known, strict=True) if k]
    return {
        "tissue": tissue,
        "new": int(new.sum()),
        "known": int(known.sum()),
        "auroc": area(score),
        "auroc_whole_space": area(np.hypot(*chain.novelty._distances(x))),
        "auroc_energy": area(-logsumexp(logits, axis=1)),
        "auroc_probability": area(-log_softmax(logits, axis=1).max(axis=1)),
        "flagged": float((score[new] > 1).mean()),
        "false_alarms": float((score[known] > 1).mean()),
        "noise": float(chain.novelty.score(chain.transform(noise, ["count"] * 100)).min()),
        "shuffled": float(chain.novelty.score(chain.transform(shuffled, own_units)).min()),
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
