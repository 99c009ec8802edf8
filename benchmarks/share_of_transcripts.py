"""How far mRIN of some of the transcripts is from mRIN of all.

    PYTHONPATH=workflow/lib python benchmarks/share_of_transcripts.py MRIN RESULTS

MRIN is the folder of results of the original code (KS.mat.txt: 24 simulated samples, 4 of them
degraded), RESULTS that of a finished run of the demo. Of each sample's covered transcripts, at
least 100, some are drawn 500 times, with replacement, as if of many more. Writes
benchmarks/share_of_transcripts.tsv, one row per source and number of transcripts: the distance of
mRIN from that of all of the sample's (95 %, 99 % and the largest, over samples and draws), and the
share of draws on the other side of the limit for exclusion, −0.11.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from tissuestate.arrays import load_arrays
from tissuestate.integrity.mrin import abundant_deviations
from tissuestate.integrity.profiles import load_profile
from tissuestate.refusals import read_refusal

NUMBERS, DRAWS, LIMIT, LEAST = (25, 50, 100, 200, 400, 800), 500, -0.11, 100


def shifts_of_original(folder: Path) -> Iterator[np.ndarray]:
    """mKS of each sample: d less its transcript's median."""
    table = pd.read_csv(folder / "KS.mat.txt", sep="\t", index_col=0)
    shifted = table.sub(table.median(axis=1), axis=0)
    return (column.dropna().to_numpy() for _, column in shifted.items())


def shifts_of_demo(results: Path) -> Iterator[np.ndarray]:
    """mKS of each sample: d less its transcript's median in the training samples."""
    reference = load_arrays(results / "integrity/reference.npz")
    for path in sorted((results / "integrity/profiles").glob("*.npz")):
        if not read_refusal(path):
            profile = load_profile(path, str(reference["bed"]))
            shifted = abundant_deviations(profile) - reference["median"]
            yield shifted[~np.isnan(shifted)]


def main() -> None:
    """Draw and write the table."""
    rng = np.random.default_rng(0)
    sources = {
        "original code": shifts_of_original(Path(sys.argv[1])),
        "demo": shifts_of_demo(Path(sys.argv[2])),
    }
    rows = []
    for source, found in sources.items():
        samples = [shifts for shifts in found if len(shifts) >= LEAST]
        for number in NUMBERS:
            drawn = np.array([-rng.choice(s, (DRAWS, number)).mean(axis=1) for s in samples])
            whole = np.array([-s.mean() for s in samples])[:, None]
            distance = np.abs(drawn - whole)
            rows.append(
                {
                    "source": source,
                    "samples": len(samples),
                    "transcripts": number,
                    "within_95": np.quantile(distance, 0.95),
                    "within_99": np.quantile(distance, 0.99),
                    "largest": distance.max(),
                    "other_side": ((drawn < LIMIT) != (whole < LIMIT)).mean(),
                }
            )
    table = pd.DataFrame(rows)
    table.to_csv("benchmarks/share_of_transcripts.tsv", sep="\t", index=False, float_format="%.4g")
    print(table.to_string())


if __name__ == "__main__":
    main()
