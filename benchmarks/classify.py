"""From counts to calls with a bundle of the paper's size: time from process start, and memory.

Usage: classify.py OUTPUT.tsv [GENES COMPONENTS]

A bundle of random numbers (what it says means nothing, what it costs does) classifies 1, 1,000 and
10,000 samples, read from a table as the workflow reads them and written as it writes them, each in
a process of its own. What cannot be saved is measured beside it, again in a process of its own:
read_seconds, pyarrow reading the table, and product_seconds, numpy multiplying as many samples by
the components, in double precision as a call does.
"""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

GENES, COMPONENTS = 17993, 2000  # the paper's
KNOWN = 60000  # genes that the map knows, as org.Hs.eg.db and GENCODE together do
TRAINING = 7081
SURROGATES, FACTORS = 20, 100
WIDTHS = (1024, 512, 256, 128, 64)
HEADS = {
    "disease_state": ("non-neoplastic", "peri-neoplastic", "neoplastic"),
    "tissue": tuple(f"tissue{number}" for number in range(14)),
    "subtype": tuple(f"subtype{number}" for number in range(11)),
}
CASES = {"1 sample, TSV": 1, "1,000 samples, TSV": 1000, "10,000 samples, Parquet": 10000}


def write_bundle(folder: Path, genes: int, components: int) -> None:
    """A bundle of random arrays that has every part of a real one."""
    from tissuestate.arrays import save_arrays
    from tissuestate.bundle.format import write_bundle
    from tissuestate.evaluation.sets import ConformalSets
    from tissuestate.expression.correction import SurrogateVariableCorrection
    from tissuestate.expression.imputation import ConditionalMean
    from tissuestate.expression.normaliser import Normaliser
    from tissuestate.features.novelty import Novelty
    from tissuestate.features.plane import TrainingMap
    from tissuestate.features.transformers import PrincipalComponents
    from tissuestate.matrices.gene_map import COLUMNS, GeneMap
    from tissuestate.models.architecture import Architecture
    from tissuestate.models.network import ClassifierNetwork, save_network

    rng = np.random.default_rng(1)
    names = [f"GENE{number}" for number in range(KNOWN)]
    transcripts = ["|".join(f"ENST{4 * n + i:011d}" for i in range(4)) for n in range(KNOWN)]
    rows = [
        (name, f"ENSG{n:011d}", str(n), f"A{n}|B{n}", transcripts[n])
        for n, name in enumerate(names)
    ]
    parts = folder / "parts"
    parts.mkdir(parents=True)
    GeneMap(pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)).write(parts / "genes.tsv.gz")
    sample = expression(rng, 400, genes)
    normaliser = Normaliser().fit(sample, ["count"] * len(sample))
    values = normaliser.transform(sample, ["count"] * len(sample))
    labels = pd.DataFrame({"tissue": rng.choice(HEADS["tissue"], len(sample))})
    correction = SurrogateVariableCorrection("none").fit(values, labels)
    correction.loadings_ = rng.normal(size=(SURROGATES, genes), scale=genes**-0.5)
    correction.coefficients_ = rng.normal(size=(SURROGATES, genes), scale=0.1)
    features = PrincipalComponents(100).fit(correction.transform(values), genes=names[:genes])
    features.components_ = rng.normal(size=(components, genes), scale=genes**-0.5).astype("f4")
    features.names_ = [f"PC{number + 1}" for number in range(components)]
    features.explained_variance_ = features.explained_variance_ratio_ = np.ones(components)
    x = features.transform(values)
    novelty = Novelty().fit(x, labels["tissue"]).calibrate(x, np.arange(len(x)).astype(str))
    training = rng.normal(size=(TRAINING, components)).astype("f4")
    plane = TrainingMap().fit(
        training, pd.DataFrame({head: rng.choice(HEADS[head], TRAINING) for head in HEADS})
    )
    for name, part in {
        "normaliser": normaliser,
        "imputation": ConditionalMean(FACTORS).fit(values),
        "correction": correction,
        "features": features,
        "novelty": novelty,
        "training": plane,
    }.items():
        save_arrays(parts / f"{name}.npz", part.to_arrays())
    for task, heads in (("multitask", ("disease_state", "tissue")), ("subtype", ("subtype",))):
        asked = {head: HEADS[head] for head in heads}
        architecture = Architecture(components, WIDTHS, 0.2, "relu", asked)
        save_network(parts / task, ClassifierNetwork(architecture))
    files = {p.relative_to(parts).as_posix(): p for p in parts.rglob("*") if p.is_file()}
    subtypes_of = {"tissue0": HEADS["subtype"][:6], "tissue1": HEADS["subtype"][6:]}
    sets = ConformalSets()
    sets.thresholds_ = dict.fromkeys(HEADS, 0.1)
    description = {
        "classes": HEADS,
        "subtypes_of": subtypes_of,
        "genes": names[:genes],
        "temperatures": {},
        "thresholds": {"genes": 0.5},
        "sets": sets.to_dict(),
        "trust": {},
        "metrics": [],
        "data": {"contrasts": []},
        "config": {},
    }
    write_bundle(folder / "bundle", files, description)


def expression(rng: np.random.Generator, samples: int, genes: int) -> np.ndarray:
    """Counts (samples × genes, float32) over the range that real ones have."""
    means = 2 ** np.random.default_rng(2).normal(6, 3, genes)
    return rng.poisson(means * rng.gamma(4, 0.25, (samples, genes))).astype("f4")


def write_samples(folder: Path, samples: int, genes: int) -> Path:
    """A table of genes × samples, and the sheet that names them."""
    rng = np.random.default_rng(3)
    names = [f"S{number}" for number in range(samples)]
    ids = pd.Index([f"ENSG{number:011d}.3" for number in range(genes)], name="gene")
    values = np.concatenate(
        [expression(rng, min(500, samples - i), genes) for i in range(0, samples, 500)]
    )
    frame = pd.DataFrame(values.T.astype("i4"), ids, names)
    path = folder / f"{samples}.{'parquet' if samples > 1000 else 'tsv'}"
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        import pyarrow as pa
        import pyarrow.csv

        options = pyarrow.csv.WriteOptions(delimiter="\t")
        pyarrow.csv.write_csv(pa.Table.from_pandas(frame.reset_index()), path, options)
    sheet = folder / f"{samples}.sheet"
    rows = pd.DataFrame({"sample": names, "matrix": str(path), "unit": "count"})
    rows.to_csv(sheet, sep="\t", index=False)
    return sheet


def classify(bundle: str, sheet: str, output: str) -> None:
    """What the workflow does with a sheet of new samples."""
    from tissuestate.classification.classifier import Classifier, Predictions
    from tissuestate.classification.new_samples import read_new_samples
    from tissuestate.sheet.sheet import read_sheet

    classifier = Classifier.load(bundle)
    groups = read_new_samples(read_sheet(sheet, labelled=False), {}).frames
    found = Predictions.concat([classifier.predict(frame, unit) for frame, unit in groups])
    table = found.table()
    table.to_csv(f"{output}.tsv", sep="\t", index=False)
    records = [found.record(sample) for sample in table["sample"]]
    Path(f"{output}.json").write_text(json.dumps(records))
    # the most that was resident; what wait4 tells includes the parent's from before exec
    status = Path("/proc/self/status").read_text()
    Path(f"{output}.peak").write_text(status.partition("VmHWM:")[2].split()[0])


def bare(path: str, samples: int, genes: int, components: int) -> dict[str, float]:
    """Seconds to read a table and to multiply as many samples by the components, no more."""
    import pyarrow.csv
    import pyarrow.parquet

    start = time.perf_counter()
    if path.endswith(".parquet"):
        pyarrow.parquet.read_table(path)
    else:
        pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(delimiter="\t"))
    read = time.perf_counter() - start
    loadings, block = np.ones((genes, components)), np.ones((min(samples, 1000), genes))
    start = time.perf_counter()
    for _ in range(0, samples, len(block)):
        block @ loadings
    return {"read_seconds": read, "product_seconds": time.perf_counter() - start}


def main(output: str, genes: int, components: int) -> None:
    """Measure every case and write the table."""
    rows = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_bundle(folder, genes, components)
        for case, samples in CASES.items():
            sheet = write_samples(folder, samples, genes)
            call = [sys.executable, __file__, "--classify", str(folder / "bundle"), str(sheet)]
            start = time.perf_counter()
            process = subprocess.Popen([*call, str(folder / "calls")])
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            if status:
                raise SystemExit(f"{case}: failed")
            row = {"case": case, "samples": samples, "genes": genes, "components": components}
            row |= {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime}
            peak = int((folder / "calls.peak").read_text()) / 1024
            row |= {"peak_memory_mb": peak, "cores": os.cpu_count()}
            table = pd.read_csv(sheet, sep="\t", nrows=1).at[0, "matrix"]
            limits = [sys.executable, __file__, "--bare", table, samples, genes, components]
            row |= json.loads(subprocess.check_output([str(word) for word in limits]))
            rows.append(row | {"load": os.getloadavg()[0], "machine": platform.machine()})
            print(rows[-1], flush=True)
            pd.DataFrame(rows).to_csv(output, sep="\t", index=False, float_format="%.4g")


if __name__ == "__main__":
    if sys.argv[1] == "--classify":
        classify(*sys.argv[2:])
    elif sys.argv[1] == "--bare":
        print(json.dumps(bare(sys.argv[2], *map(int, sys.argv[3:]))))
    else:
        sizes = [int(word) for word in sys.argv[2:4]] or [GENES, COMPONENTS]
        main(sys.argv[1], *sizes)
