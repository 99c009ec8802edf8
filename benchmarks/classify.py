"""From counts to calls by the command `tissuestate`: time from process start, and memory.

Usage: classify.py OUTPUT.tsv [BUNDLE]

Two bundles classify 1, 1,000 and 10,000 samples from a table, each in a process of its own: one of
the paper's size with random numbers (what it says means nothing, what it costs does), and BUNDLE or
the one that comes along. pages says whether pages were written, too. What cannot be saved is
measured beside it, again in processes of their own: import_seconds, Python importing pandas,
pyarrow and scipy.special; read_seconds, pyarrow reading the table; and product_seconds, numpy
multiplying as many samples by the components (of a regression, its outputs), in double precision as
a call does.
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
SURROGATES, FACTORS = 20, 100
WIDTHS = (1024, 512, 256, 128, 64)
HEADS = {
    "disease_state": ("non-neoplastic", "peri-neoplastic", "neoplastic"),
    "tissue": tuple(f"tissue{number}" for number in range(14)),
    "subtype": tuple(f"subtype{number}" for number in range(11)),
}
# samples, file, and whether pages are written
CASES = (
    (1, "tsv", False),
    (1, "tsv", True),
    (1000, "tsv", False),
    (1000, "tsv", True),
    (10000, "parquet", False),
)
IMPORTS = "import pandas, pyarrow.csv, scipy.special"


def write_bundle(folder: Path, genes: int, components: int) -> None:
    """A bundle of random arrays that has every part of a real one."""
    from tissuestate.arrays import save_arrays
    from tissuestate.bundle.format import write_bundle
    from tissuestate.evaluation.sets import ConformalSets
    from tissuestate.expression.correction import SurrogateVariableCorrection
    from tissuestate.expression.imputation import ConditionalMean
    from tissuestate.expression.normaliser import Normaliser
    from tissuestate.features.novelty import Novelty
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
    for name, part in {
        "normaliser": normaliser,
        "imputation": ConditionalMean(FACTORS).fit(values),
        "correction": correction,
        "features": features,
        "novelty": novelty,
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


def write_samples(path: Path, samples: int, ids: list[str]) -> None:
    """A table of genes × samples."""
    rng = np.random.default_rng(3)
    names = [f"S{number}" for number in range(samples)]
    parts = range(0, samples, 500)
    values = np.concatenate([expression(rng, min(500, samples - i), len(ids)) for i in parts])
    frame = pd.DataFrame(values.T.astype("i4"), pd.Index(ids, name="gene"), names)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        import pyarrow as pa
        import pyarrow.csv

        options = pyarrow.csv.WriteOptions(delimiter="\t")
        pyarrow.csv.write_csv(pa.Table.from_pandas(frame.reset_index()), path, options)


def known_ids(bundle: Path) -> list[str]:
    """Ids of the genes of a bundle, and of others of its map, as many as the paper's in all."""
    from tissuestate.matrices.gene_map import GeneMap

    genes = json.loads((bundle / "bundle.json").read_text())["genes"]
    symbols = GeneMap.read(bundle / "genes.tsv.gz").table["symbol"]
    return [*genes, *symbols[~symbols.isin(genes)]][:GENES]


def classify(*words: str) -> None:
    """The command; at its end the most memory that it took goes to a file."""
    from tissuestate.command.main import main

    *sys.argv[1:], peak = words
    try:
        main()
    finally:
        # the most that was resident; what wait4 tells includes the parent's from before exec
        status = Path("/proc/self/status").read_text()
        Path(peak).write_text(status.partition("VmHWM:")[2].split()[0])


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


def measure(bundle: Path, ids: list[str], components: int, case: tuple[int, str, bool]) -> dict:
    """Seconds and memory of one case, and what of it cannot be saved."""
    samples, suffix, pages = case
    with TemporaryDirectory() as name:
        table, peak = Path(name, f"counts.{suffix}"), Path(name, "peak")
        write_samples(table, samples, ids)
        call = [sys.executable, __file__, "--classify", "classify", table, "--bundle", bundle]
        call += ["--out", Path(name, "calls")] if pages else []
        start = time.perf_counter()
        with Path(name, "calls.tsv").open("w") as output:
            process = subprocess.Popen([*map(str, call), str(peak)], stdout=output)
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{case}: failed")
        limits = [sys.executable, __file__, "--bare", table, samples, len(ids), components]
        bare_seconds = json.loads(subprocess.check_output([str(word) for word in limits]))
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", IMPORTS], check=True)
        return {
            "seconds": seconds,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_memory_mb": int(peak.read_text()) / 1024,
            "cores": os.cpu_count(),
            "import_seconds": time.perf_counter() - start,
            **bare_seconds,
        }


def main(output: str, pretrained: Path) -> None:
    """Measure every case and write the table."""
    rows = []
    with TemporaryDirectory() as name:
        write_bundle(Path(name), GENES, COMPONENTS)
        ids = [f"ENSG{number:011d}.3" for number in range(GENES)]
        bundles = {"of the paper's size": (Path(name, "bundle"), ids, COMPONENTS)}
        if (pretrained / "bundle.json").is_file():
            classes = json.loads((pretrained / "bundle.json").read_text())["classes"]
            outputs = sum(map(len, classes.values()))
            bundles["pretrained"] = (pretrained, known_ids(pretrained), outputs)
        for bundle, sizes in bundles.items():
            for case in CASES:
                samples, suffix, pages = case
                row = {"bundle": bundle, "samples": samples, "file": suffix, "pages": pages}
                row |= {"genes": GENES, "components": sizes[2], **measure(*sizes, case)}
                rows.append(row | {"load": os.getloadavg()[0], "machine": platform.machine()})
                print(rows[-1], flush=True)
                pd.DataFrame(rows).to_csv(output, sep="\t", index=False, float_format="%.4g")


if __name__ == "__main__":
    if sys.argv[1] == "--classify":
        classify(*sys.argv[2:])
    elif sys.argv[1] == "--bare":
        print(json.dumps(bare(sys.argv[2], *map(int, sys.argv[3:]))))
    else:
        from tissuestate.bundle.format import PRETRAINED

        main(sys.argv[1], Path(sys.argv[2]) if sys.argv[2:] else PRETRAINED)
