"""Surrogate variables beside R's, and beside inmoose's ComBat, on cohorts of a known batch.

    python benchmarks/second_witness.py

inmoose 0.9.1 and edgepython 0.5.0 port edgeR, limma and ComBat to Python, but no surrogate
variables. So R is the witness of the variables, and ComBat of what is left of the batch: it is
told the batch, and corrects the samples of a table together. Engines: none, r (`sva::svaseq`),
native (ours), combat. Cohorts: simulated ones with a batch, and the real samples of correction.py,
whose halves differ by a known shift. Each case runs in a process of its own, on one thread. Needs
`pip install inmoose`. Writes second_witness.tsv beside this file.

angle_to_r: largest principal angle between the surrogate variables and those of R, in degrees.
batch_found: share of the variance of the known batch that the surrogate variables explain.
batch_left: share of the variance within equal biology that the batch explains after the correction.
biology: share of all variance that tissue and state explain after the correction.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import scipy.linalg
from correction import SV, matrix
from inmoose.pycombat import pycombat_norm
from tissuestate.expression import bioconductor, surrogates
from tissuestate.expression.correction import design_matrix
from tissuestate.expression.diagnostics import BIOLOGY, explained_variance, labels_of

HERE = Path(__file__).resolve().parent
CASES = (  # engine, method
    ("none", ""),
    ("r", "irw"),
    ("native", "irw"),
    ("r", "supervised"),
    ("native", "supervised"),
    ("combat", ""),
)
COHORTS = {"simulated-200": 200, "simulated-989": 989, "rnaseqdb": 0}  # samples; 0 = all real ones
CONTROLS = 0.3  # share of the genes that are controls of supervised


def simulate(samples: int, genes: int = 5000) -> tuple[np.ndarray, pd.DataFrame]:
    """Six tissues and a batch, more frequent in some tissues, each of which shifts the genes."""
    rng = np.random.default_rng(0)
    tissue = rng.integers(6, size=samples)
    batch = rng.random(samples) < np.linspace(0.2, 0.8, 6)[tissue]
    of_tissue = rng.normal(0, 1, (6, genes)) * (rng.random(genes) < 0.3)
    of_batch = rng.normal(0, 0.5, genes) * (rng.random(genes) < 0.5)
    Y = rng.normal(8, 2, genes) + of_tissue[tissue] + np.outer(batch, of_batch)
    Y += rng.normal(0, 1, (samples, genes))
    obs = pd.DataFrame({"tissue": tissue.astype(str), "source": np.where(batch, "a", "b")})
    return Y, obs.assign(disease_state="")


def combat(Y: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
    """Expression corrected by inmoose's ComBat, which is told the batch and keeps the biology."""
    kept = obs[["tissue", "disease_state"]]
    kept = kept.loc[:, kept.nunique() > 1]
    table = pd.DataFrame(Y.T, columns=[f"s{i}" for i in range(len(Y))])
    covariates = kept.set_axis(table.columns, axis=0)
    corrected = pycombat_norm(table, obs["source"].tolist(), covar_mod=covariates)
    return corrected.to_numpy().T


def measure(cohort: str, engine: str, method: str, folder: Path) -> dict[str, object]:
    """What one case took and what it left; the surrogate variables of R go to folder."""
    Y, obs = (matrix if cohort == "rnaseqdb" else simulate)(COHORTS[cohort])
    Y = Y.astype(np.float64)
    model = design_matrix(obs[["tissue", "disease_state"]])[0]
    if engine in ("r", "native"):
        bioconductor.local_fdr(np.linspace(0.01, 0.99, 99))  # starts R
    n_sv = SV if cohort == "rnaseqdb" else 1
    facts: dict[str, object] = {"samples": len(Y), "genes": Y.shape[1]}
    facts["n_sv"] = n_sv if method else None
    centred = Y - Y.mean(axis=0)
    start = time.process_time()
    if engine == "combat":
        corrected = combat(Y, obs)
    elif engine == "none":
        corrected = Y
    else:
        plan = surrogates.Plan(method, n_sv, CONTROLS)
        fit = surrogates.estimate_surrogates(centred, model, plan, engine, 0)
        basis = surrogates.model_basis(model)
        corrected = Y - fit.surrogates @ surrogates.coefficients(centred, basis, fit.surrogates)
    facts |= {
        "cpu_seconds": round(time.process_time() - start, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    if engine in ("r", "native"):
        if engine == "r":
            np.save(folder / f"{method}.npy", fit.surrogates)
        theirs = np.load(folder / f"{method}.npy")
        angles = scipy.linalg.subspace_angles(fit.surrogates, theirs)
        batch = (obs["source"] == "a").to_numpy(float)
        batch -= batch.mean()
        basis = np.linalg.qr(fit.surrogates - fit.surrogates.mean(axis=0))[0]
        facts["angle_to_r"] = float(f"{np.degrees(angles.max()):.1e}")
        facts["batch_found"] = round(float(np.sum((basis.T @ batch) ** 2) / (batch @ batch)), 4)
    corrected = corrected - corrected.mean(axis=0)
    gram, biology = corrected @ corrected.T, labels_of(obs, BIOLOGY)
    facts["batch_left"] = round(explained_variance(gram, labels_of(obs, ["source"]), biology), 5)
    facts["biology"] = round(explained_variance(gram, biology), 4)
    return facts


def main() -> None:
    """Run all engines on all cohorts and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        *case, folder = arguments.measure
        print(json.dumps(measure(*case, Path(folder))))
        return
    threads = {f"{n}_NUM_THREADS": "1" for n in ("OMP", "OPENBLAS", "MKL")}
    rows = []
    for cohort in COHORTS:
        with TemporaryDirectory() as folder:
            for engine, method in CASES:
                command = [sys.executable, __file__, "--measure", cohort, engine, method, folder]
                done = subprocess.run(
                    command, env={**os.environ, **threads}, check=True, stdout=subprocess.PIPE
                )
                rows.append(
                    {"cohort": cohort, "engine": engine, "method": method} | json.loads(done.stdout)
                )
                print(rows[-1], flush=True)
    pd.DataFrame(rows).convert_dtypes().to_csv(HERE / "second_witness.tsv", sep="\t", index=False)


if __name__ == "__main__":
    main()
