"""Accuracy where genes are missing as other sources lack them, and on their own values.

python benchmarks/missing_genes.py RESULTS benchmarks/missing_genes.tsv

RESULTS is the results folder of a finished run on the real cohort (`make real`). The chain is
fitted on RNAseqDB's samples alone, on all of its genes. Test samples then lose: genes at random;
all genes that a file of another source lacks (its platform). Last, test donors' samples of another
source come with that source's own values and genes: platform and pipeline change together. A row a
way of losing genes, head and treatment: missing genes are estimated from the others, or left at the
training mean.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from small_model import classes_of, fit_chain
from tissuestate.cohort.merge import assemble_cohort
from tissuestate.evaluation.chain import Chain
from tissuestate.labels import encode
from tissuestate.matrices.gene_map import GeneMap
from tissuestate.matrices.read import read_matrix
from tissuestate.sheet.samples import read_samples

TRAINED = "rnaseqdb"
HEADS = ("disease_state", "tissue")
SHARES = (0.2, 0.5, 0.8, 0.9, 0.95)


def accuracies(
    chain: Chain, values: np.ndarray, units: list[str], codes: dict[str, np.ndarray]
) -> list[dict[str, object]]:
    expression = chain.normaliser.transform(values, units)
    rows = []
    for treatment, filled in (
        ("estimated", chain.imputation.transform(expression)),
        ("mean", expression),
    ):
        x = chain.features.transform(chain.correction.transform(filled))
        flagged = chain.novelty.is_new(x)
        for head, z in chain.logits(x).items():
            known = codes[head] >= 0
            right = (z.argmax(axis=1) == codes[head])[known]
            sure = ~flagged[known]
            rows.append(
                {
                    "head": head,
                    "treatment": treatment,
                    "n": int(known.sum()),
                    "accuracy": right.mean(),
                    "flagged": 1 - sure.mean(),
                    "accuracy_not_flagged": right[sure].mean() if sure.any() else np.nan,
                }
            )
    return rows


def main() -> None:
    results = Path(sys.argv[1])
    samples = read_samples(results / "cohort" / "samples.tsv")
    gene_map = GeneMap.read(results / "matrices" / "gene_ids.tsv.gz")
    own = samples[samples["source"] == TRAINED]
    cohort, _ = assemble_cohort(own, gene_map)
    genes, obs = cohort.var_names, cohort.obs.astype(str)
    chain = fit_chain(cohort.X, obs, tasks=("multitask",))
    classes = classes_of(obs)
    test = (obs["split"] == "test").to_numpy()
    values, units = cohort.X[test], obs["unit"][test].tolist()
    codes = {head: encode(obs[head][test], classes[head]) for head in HEADS}

    def told(labels: pd.DataFrame) -> dict[str, np.ndarray]:
        return {head: encode(labels[head].astype(str), classes[head]) for head in HEADS}

    rows = []

    def add(way: str, given: np.ndarray, units: list[str], codes: dict[str, np.ndarray]) -> None:
        share = float(np.isnan(given).mean())
        rows.extend(
            {"way": way, "missing": share, **r} for r in accuracies(chain, given, units, codes)
        )

    add("none", values, units, codes)
    rng = np.random.default_rng(0)
    for share in SHARES:
        holes = values.copy()
        holes[:, rng.random(len(genes)) < share] = np.nan
        add("random", holes, units, codes)
    for source, part in samples[samples["source"] != TRAINED].groupby("source"):
        path, unit = part["matrix"].iloc[0], part["unit"].iloc[0]
        wanted = dict(zip(part["sample"].head(1), part["column"].head(1), strict=True))
        ids = read_matrix(path, wanted, unit=unit, missing="keep").ids
        present = genes.isin(gene_map.to_symbols(list(ids))[0])
        holes = values.copy()
        holes[:, ~present] = np.nan
        add(f"platform of {source}", holes, units, codes)
        asked = part[(part["split"] == "test") & part["tissue"].isin(classes["tissue"])]
        if len(asked):
            other, _ = assemble_cohort(asked, gene_map, missing="zero")
            given = pd.DataFrame(other.X, other.obs_names, other.var_names).reindex(columns=genes)
            their_units = other.obs["unit"].astype(str).tolist()
            add(f"values of {source}", given.to_numpy(np.float32), their_units, told(other.obs))
    table = pd.DataFrame(rows)
    table.to_csv(sys.argv[2], sep="\t", index=False, float_format="%.4f")
    print(table.to_string(index=False, float_format="%.4f"))


if __name__ == "__main__":
    main()
