"""Time and memory of surrogate variable correction, side by side with Bioconductor's svaseq.

    python benchmarks/correction.py [--threads 2] [--cases NAME ...]

Every case runs in a process of its own with the same number of BLAS threads (OpenBLAS on both
sides), so that its peak memory is its own. The matrices are the real RSEM counts of RNAseqDB in
$TISSUESTATE_DATA (else ../shared/data), normalised; beyond their number, samples are resampled and
given noise. Rows of cases not run again are kept. Writes correction.tsv and correction.png beside
this file.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "workflow" / "lib"))

SV = 20
CASES = {  # name: (engine, method, samples; 0 = all real ones)
    **{f"r-{n}": ("r", "irw", n) for n in (0, 989, 2000, 4000)},
    **{f"native-{n}": ("native", "irw", n) for n in (0, 989, 2000, 4000, 7081, 10116)},
    **{f"supervised-{n}": ("native", "supervised", n) for n in (989, 4000, 10116)},
    **{f"auto-{n}": ("native", "auto", n) for n in (989, 10116)},
}
GENES = 17993


def matrix(samples: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Real log2 expression (float32, samples × 17,993 genes), resampled with noise beyond it."""
    default = HERE.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("TISSUESTATE_DATA", default)) / "tcga_gtex"
    sheet = pd.read_csv(folder / "samples.tsv", sep="\t", keep_default_na=False)
    sheet = sheet[sheet["source"] == "rnaseqdb"].reset_index(drop=True)
    tables = [pd.read_csv(folder / name, sep="\t", index_col=0) for name in sheet["file"].unique()]
    joined = pd.concat([t.drop(columns="Entrez_Gene_Id") for t in tables], axis=1, join="inner")
    counts = joined[sheet["sample"]].to_numpy(dtype=np.float64).T
    quartile = np.array([np.percentile(row[row > 0], 75) for row in counts])
    Y = np.log2(1000 * counts / quartile[:, None] + 1)
    Y = Y[:, np.sort(np.argsort(-Y.var(axis=0), kind="stable")[:GENES])].astype(np.float32)
    if samples > len(Y):
        rng = np.random.default_rng(0)
        drawn = np.concatenate([np.arange(len(Y)), rng.integers(len(Y), size=samples - len(Y))])
        noise = rng.standard_normal((samples, GENES), dtype=np.float32)
        noise[: len(Y)] = 0
        noise *= 0.3
        noise += Y[drawn]
        Y, sheet = noise, sheet.iloc[drawn].reset_index(drop=True)
        sheet["donor"] = [f"d{i}" for i in range(samples)]
    # two halves measured by two instruments, for `auto` to have a batch to look for
    rng = np.random.default_rng(1)
    sheet["source"] = np.where(rng.random(len(Y)) < 0.5, "a", "b")
    Y[sheet["source"] == "a"] += rng.normal(0, 0.5, GENES).astype(np.float32)
    return Y, sheet


def measure(name: str) -> dict[str, object]:
    """Run one case in this process and say what it took, reading of the data left out."""
    from tissuestate.expression import bioconductor, surrogates
    from tissuestate.expression.correction import SurrogateVariableCorrection, design_matrix

    engine, method, samples = CASES[name]
    Y, obs = matrix(samples)
    design = obs[["tissue", "disease_state"]]
    bioconductor.local_fdr(np.linspace(0.01, 0.99, 99))
    load, start, used = os.getloadavg()[0], time.perf_counter(), time.process_time()
    if engine == "r":
        bioconductor.svaseq(Y.astype(np.float64), design_matrix(design)[0], SV, "irw")
    elif method == "auto":
        SurrogateVariableCorrection().fit(Y, design, obs=obs).transform(Y)
    else:
        centred = Y.astype(np.float64)
        centred -= centred.mean(axis=0)
        plan = surrogates.Plan(method, SV, 0.3)
        surrogates.estimate_surrogates(centred, design_matrix(design)[0], plan, "native", 0)
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(time.process_time() - used, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "samples": len(Y),
        "genes": Y.shape[1],
        "other_load": round(load, 1),
    }


def plot(table: pd.DataFrame, path: Path) -> None:
    """Processor time and memory over the number of samples, a line an engine and method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, column, label in (
        (axes[0], "cpu_seconds", "processor seconds"),
        (axes[1], "peak_memory_mb", "peak memory (MB)"),
    ):
        for (engine, method), rows in table.groupby(["engine", "method"]):
            rows = rows.sort_values("samples")
            axis.plot(rows["samples"], rows[column], "o-", label=f"{engine} {method}")
        axis.set(xscale="log", yscale="log", xlabel="samples", ylabel=label)
    axes[1].legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run the cases asked for and write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    path = HERE / "correction.tsv"
    table = pd.read_csv(path, sep="\t") if path.exists() else pd.DataFrame(columns=["case"])
    threads = {f"{n}_NUM_THREADS": str(arguments.threads) for n in ("OMP", "OPENBLAS", "MKL")}
    for name in arguments.cases:
        command = [sys.executable, __file__, "--measure", name]
        done = subprocess.run(
            command, env={**os.environ, **threads}, check=True, stdout=subprocess.PIPE
        )
        engine, method, _ = CASES[name]
        row = {"case": name, "engine": engine, "method": method, "n_sv": SV}
        row |= {"n_sv": "auto"} if method == "auto" else {}
        row |= json.loads(done.stdout.splitlines()[-1]) | {"threads": arguments.threads}
        print(row, flush=True)
        table = pd.concat([table[table["case"] != name], pd.DataFrame([row])], ignore_index=True)
        order = {case: i for i, case in enumerate(CASES)}
        table = table.sort_values("case", key=lambda column: column.map(order))
        table = table.convert_dtypes()
        table.to_csv(path, sep="\t", index=False)
        plot(table, HERE / "correction.png")


if __name__ == "__main__":
    main()
