"""Principal components against scikit-learn's full solver: time, memory, reconstruction.

Usage: features.py OUTPUT.tsv [SAMPLES GENES COMPONENTS [THREADS]]

Each solver runs in a process of its own on the same simulated expression, with the same threads.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

LIBRARY = Path(__file__).resolve().parents[1] / "workflow" / "lib"
SOLVERS = ("tissuestate", "scikit-learn full")
SIZE = (7081, 17993, 2000)  # the paper's training samples, genes and components


def expression(samples: int, genes: int) -> np.ndarray:
    """Log expression, float32, with a slowly falling spectrum as real cohorts have."""
    rng = np.random.default_rng(1)
    rank = min(1500, samples, genes)
    scores = rng.standard_normal((samples, rank), dtype=np.float32)
    scores *= np.arange(1, rank + 1, dtype=np.float32) ** -0.6
    X = scores @ rng.standard_normal((rank, genes), dtype=np.float32)
    X += 0.5 * rng.standard_normal((samples, genes), dtype=np.float32)
    return X + 8


def measure(solver: str, samples: int, genes: int, components: int) -> dict:
    """Fit one solver; time, peak memory of the process, share of variance not reconstructed."""
    X = expression(samples, genes)
    start, used = time.perf_counter(), time.process_time()
    if solver == "tissuestate":
        sys.path.insert(0, str(LIBRARY))
        from tissuestate.features.transformers import PrincipalComponents

        ours = PrincipalComponents(components).fit(X)
        mean, scale, loadings = ours.mean_, ours.scale_, ours.components_.astype(np.float64)
    else:
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(X)
        theirs = PCA(components, svd_solver="full", copy=False).fit(
            scaler.transform(X).astype(np.float64)
        )
        mean, scale, loadings = scaler.mean_, scaler.scale_, theirs.components_
    seconds, used = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lost = total = 0.0
    for begin in range(0, samples, 512):
        Z = (X[begin : begin + 512] - mean) / scale
        lost += ((Z - (Z @ loadings.T) @ loadings) ** 2).sum()
        total += (Z**2).sum()
    return {
        "seconds": seconds,
        "cpu_seconds": used,  # of all threads: fair where the machine is shared
        "peak_memory_mb": peak,
        "unreconstructed": lost / total,
    }


def main(output: str, *arguments: str) -> None:
    size = tuple(map(int, arguments[:3])) or SIZE
    threads = arguments[3] if len(arguments) > 3 else str(os.cpu_count())
    rows = []
    for solver in SOLVERS:
        call = [sys.executable, __file__, "--measure", solver, *map(str, size)]
        limits = {name: threads for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        run = subprocess.run(call, env=os.environ | limits, capture_output=True, check=True)
        names = ("samples", "genes", "components")
        row = {"solver": solver, **dict(zip(names, size, strict=True)), "threads": threads}
        rows.append(row | json.loads(run.stdout))
        print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(output, sep="\t", index=False, float_format="%.6g")


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        print(json.dumps(measure(sys.argv[2], *map(int, sys.argv[3:]))))
    else:
        main(*sys.argv[1:])
