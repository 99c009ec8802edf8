"""What it costs where a sample's values are divided by gene length (TPM, FPKM), unlike training's.

python benchmarks/length_normalised.py RESULTS TRANSCRIPTS.bed.gz benchmarks/length_normalised.tsv

RESULTS is the results folder of a finished run on the real cohort (`make real`), TRANSCRIPTS
RefSeq's transcripts (BED12), whose lengths are used; org.Hs.eg.db tells their genes. Five splits by
donor, each with a chain fitted on RNAseqDB's counts alone. Test samples then come as counts, and
as counts divided by gene length: of one sample that is TPM, FPKM and RPKM alike, which differ by a
factor. Genes without a known length are missing in both. One row per way and head, all splits
together:
accuracy, share answered and accuracy of the answers; novelty, the median score; slope, the median
over samples of expression, less the training mean, on log2 of length.
"""

import gzip
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from small_model import classes_of, fit_chain
from tissuestate.cohort.merge import assemble_cohort
from tissuestate.cohort.split import split_samples
from tissuestate.evaluation.abstention import abstention_reasons
from tissuestate.evaluation.calibration import calibrate_heads
from tissuestate.evaluation.tandem import apply_tandem
from tissuestate.labels import encode
from tissuestate.matrices.gene_map import GeneMap
from tissuestate.sheet.samples import read_samples

TRAINED = "rnaseqdb"
SEEDS = range(1, 6)
FIND = 'cat(system.file("extdata", "org.Hs.eg.sqlite", package = "org.Hs.eg.db"))'


def gene_lengths(transcripts: str, genes: pd.Index) -> np.ndarray:
    """The length of each gene's transcript, NaN where it is not known."""
    found = subprocess.run(["Rscript", "-e", FIND], check=True, capture_output=True, text=True)
    database = Path(found.stdout.strip())
    query = "SELECT accession, symbol FROM refseq JOIN gene_info USING (_id)"
    with sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True) as connection:
        symbols = dict(connection.execute(query))
    lengths = {}
    with gzip.open(transcripts, "rt") as lines:
        for line in lines:
            cells = line.split("\t")
            lengths[symbols.get(cells[3])] = sum(map(int, cells[10].strip(",").split(",")))
    return genes.map(lengths).to_numpy(float)


def outcomes(
    counts: np.ndarray, lengths: np.ndarray, obs: pd.DataFrame, seed: int, subtypes_of: dict
) -> list[dict[str, object]]:
    """One row per way and head: how many test samples there are, are right, answered, and both."""
    obs = obs.assign(split=split_samples(obs.assign(sample=obs.index), seed=seed))
    classes = {**classes_of(obs), "subtypes_of": subtypes_of}
    chain = fit_chain(counts, obs)
    held = obs["split"].isin(["validation", "test"]).to_numpy()
    units, split = obs["unit"][held].tolist(), obs["split"][held].to_numpy()
    codes = {head: encode(obs[head][held], classes[head]) for head in chain.heads}
    known = np.where(np.isfinite(lengths), counts[held], np.nan)
    as_trained = chain.logits(chain.transform(counts[held], units))
    _, report = calibrate_heads(as_trained, codes, split, classes)
    rows = []
    for way, values in (("counts", known), ("divided by length", known / lengths)):
        expression = chain.expression(values.astype(np.float32), units)
        x = chain.project(expression)
        shown = apply_tandem(chain.probabilities(x, report["temperatures"]), classes)
        score = chain.novelty.score(x)
        why = abstention_reasons(shown, classes, score > 1)
        measured = np.isfinite(lengths)
        deviation = (expression - chain.correction.mean_)[:, measured]
        slopes = np.polyfit(np.log2(lengths[measured]), deviation.T, 1)[0]
        for head, part in shown.items():
            chosen = (split == "test") & (codes[head] >= 0)
            right = np.nan_to_num(part, nan=-1).argmax(axis=1) == codes[head]
            answered = np.array(why[head], dtype=object) == ""
            rows.append(
                {
                    "way": way,
                    "head": head,
                    "n": int(chosen.sum()),
                    "right": int(right[chosen].sum()),
                    "answered": int(answered[chosen].sum()),
                    "right_answered": int((right & answered)[chosen].sum()),
                    "novelty": float(np.median(score[chosen])),
                    "slope": float(np.median(slopes[chosen])),
                }
            )
    return rows


def main() -> None:
    results = Path(sys.argv[1])
    samples = read_samples(results / "cohort" / "samples.tsv")
    gene_map = GeneMap.read(results / "matrices" / "gene_ids.tsv.gz")
    cohort, _ = assemble_cohort(samples[samples["source"] == TRAINED], gene_map)
    obs = cohort.obs.astype(str).replace("nan", "")
    pairs = obs.loc[obs["subtype"] != "", ["tissue", "subtype"]].drop_duplicates()
    subtypes_of = pairs.groupby("tissue")["subtype"].apply(sorted).to_dict()
    lengths = gene_lengths(sys.argv[2], cohort.var_names)
    found = [outcomes(cohort.X, lengths, obs, seed, subtypes_of) for seed in SEEDS]
    splits = pd.DataFrame([row for rows in found for row in rows])
    sums = ["n", "right", "answered", "right_answered"]
    how = {name: "sum" for name in sums} | {"novelty": "mean", "slope": "mean"}
    table = splits.groupby(["way", "head"], sort=False).agg(how).reset_index()
    table.insert(3, "accuracy", table["right"] / table["n"])
    table["accuracy_answered"] = table.pop("right_answered") / table["answered"]
    table["answered"] /= table["n"]
    table["genes"] = int(np.isfinite(lengths).sum())
    table = table.drop(columns="right")
    table.to_csv(sys.argv[3], sep="\t", index=False, float_format="%.4f")
    print(table.to_string(index=False, float_format="%.4f"))


if __name__ == "__main__":
    main()
