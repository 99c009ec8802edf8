"""What a unit costs: the same samples in the units that people have, stated and inferred.

python benchmarks/units.py RESULTS TRANSCRIPTS.bed.gz benchmarks/units.tsv

RESULTS is the results folder of a finished run on many laboratories (`make laboratories`),
TRANSCRIPTS RefSeq's transcripts (BED12), whose lengths are used. The run's test samples of
RNAseqDB, which are counts, are written in each unit and called by the run's bundle, with the unit
stated and with none. One row per unit and way: samples, refused, tissue answered, right of
answered, most probable tissue right, the same of tumour or not, samples whose unit was inferred as
stated, and the largest change of a tissue's probability against counts of the same genes.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from length_normalised import gene_lengths
from tissuestate.classification.classifier import Classifier, Predictions
from tissuestate.labels import NEOPLASTIC, plain_unit
from tissuestate.matrices.read import read_matrix
from tissuestate.sheet.samples import read_samples

SOURCE = "rnaseqdb"
ASYMPTOTIC, EXTRA_POISSON = 0.15, 4.0  # dispersions of tumours, as DESeq2 fits them


def read_counts(samples: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Expected counts, samples × symbols that all files have."""
    parts = []
    for path, group in samples.groupby("matrix"):
        wanted = dict(zip(group["sample"], group["column"], strict=True))
        matrix = read_matrix(folder / path, wanted, missing="zero")
        frame = pd.DataFrame(matrix.values.astype(float), matrix.samples, matrix.ids)
        parts.append(frame.loc[:, ~frame.columns.duplicated()])
    return pd.concat(parts, join="inner").loc[samples["sample"]]


def stabilise(counts: pd.DataFrame) -> pd.DataFrame:
    """DESeq2's variance-stabilising transformation with a parametric fit of dispersions."""
    a, b = ASYMPTOTIC, EXTRA_POISSON
    scaled = counts.div(counts.sum(axis=1) / counts.sum(axis=1).median(), axis=0)
    root = np.sqrt(a * scaled * (1 + b + a * scaled))
    return np.log((1 + b + 2 * a * scaled + 2 * root) / (4 * a)) / np.log(2)


def in_units(counts: pd.DataFrame, lengths: np.ndarray) -> dict[str, tuple[str, pd.DataFrame]]:
    """{name: (what a sheet states, the values)} of the same samples."""
    depth = counts.sum(axis=1)
    cpm = 1e6 * counts.div(depth, axis=0)
    quartile = counts.where(counts > 0).quantile(0.75, axis=1)
    known = np.isfinite(lengths)
    rate = counts.loc[:, known] / lengths[known]
    tpm = 1e6 * rate.div(rate.sum(axis=1), axis=0)
    fpkm = 1e9 * rate.div(depth, axis=0)
    library = depth * (1 + 4 / depth.mean())
    prior = 2 * depth / depth.mean()
    edger = np.log2(1e6 * counts.add(prior, axis=0).div(library, axis=0))
    voom = np.log2(1e6 * (counts + 0.5).div(depth + 1, axis=0))
    toil = np.log2(tpm + 0.001)
    return {
        "expected counts": ("count", counts),
        "CPM": ("normalised", cpm),
        "upper quartile (RSEM)": ("normalised", 1000 * counts.div(quartile, axis=0)),
        "TPM": ("normalised", tpm),
        "FPKM": ("normalised", fpkm),
        "FPKM-UQ": ("normalised", 1e9 * rate.div(quartile * 18_000, axis=0)),
        "log2(count + 1)": ("log2", np.log2(counts + 1)),
        "log2(CPM + 1)": ("log2", np.log2(cpm + 1)),
        "log2(TPM + 1)": ("log2", np.log2(tpm + 1)),
        "log2(TPM + 0.001)": ("log2(x+0.001)", toil),
        "log2(TPM + 0.001), genes of 0 left out": ("log2(x+0.001)", toil.where(tpm > 0)),
        "log2(FPKM + 0.1), one decimal": ("log2(x+0.1)", np.log2(fpkm + 0.1).round(1)),
        "ln(CPM / 100 + 1)": ("ln(x+1)", np.log(cpm / 100 + 1)),
        "log10(TPM + 1)": ("log10(x+1)", np.log10(tpm + 1)),
        "log2 CPM of voom": ("log2", voom),
        "log2 CPM of edgeR": ("log2", edger),
        "VST of DESeq2": ("log2", stabilise(counts)),
    }


def score(found: Predictions, labels: pd.DataFrame, stated: str) -> dict[str, object]:
    """How many samples are refused, answered and right."""
    tissue, tumour = found.calls["tissue"], found.calls["tumour"]
    called = (found.samples["refused"] == "").to_numpy()
    shares = found.probabilities["tissue"][called]
    true = labels["tissue"].to_numpy()
    is_tumour = np.where(labels["disease_state"] == NEOPLASTIC, "yes", "no")
    answered = (tissue != "").to_numpy()
    return {
        "samples": len(labels),
        "refused": int((~called).sum()),
        "answered": int(answered.sum()),
        "right": int((tissue.to_numpy() == true)[answered].sum()),
        "likeliest_right": int((shares.idxmax(axis=1).to_numpy() == true[called]).sum()),
        "tumour_answered": int((tumour != "").sum()),
        "tumour_right": int((tumour.to_numpy() == is_tumour).sum()),
        "unit_as_stated": int((found.samples["unit"] == plain_unit(stated)).sum()),
    }


def main(results: Path, transcripts: str, output: Path) -> None:
    """Write the table."""
    samples = read_samples(results / "cohort" / "samples.tsv")
    samples = samples[(samples["split"] == "test") & (samples["source"] == SOURCE)]
    counts = read_counts(samples, results.parent)
    classifier = Classifier.load(results / "bundle")
    symbols = pd.Index(classifier.gene_map.to_symbols(counts.columns)[0])
    lengths = gene_lengths(transcripts, symbols)
    print(f"{len(samples)} samples, {counts.shape[1]} genes, {np.isfinite(lengths).sum()} lengths")
    rows = []
    for name, (stated, values) in in_units(counts, lengths).items():
        same = counts.where(values.reindex(columns=counts.columns).notna())
        reference = classifier.predict(same, "count").probabilities["tissue"]
        for way in (stated, "auto"):
            found = classifier.predict(values, way)
            change = (found.probabilities["tissue"] - reference).abs().max(axis=None)
            rows.append(
                {"unit": name, "stated": "" if way == "auto" else way}
                | score(found, samples, stated)
                | {"largest_change": change}
            )
            print(*rows[-1].values(), found.samples["unit"].value_counts().to_dict(), flush=True)
    pd.DataFrame(rows).to_csv(output, sep="\t", index=False, float_format="%.4f")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
