"""Turn the real cohort's own table into sample sheets of this workflow.

Usage: real_sheet.py FOLDER_OF_TCGA_GTEX OUTPUT.tsv [SHARE]

With SHARE (0 to 1) only so many of the donors are kept, the same ones each time.
"""

import hashlib
import sys
from pathlib import Path

import pandas as pd

UNITS = {
    "rsem_expected_count": "count",
    "rsem_raw_count": "count",
    "read_count": "count",
    "log2_rsem_upper_quartile": "log2",
}


def real_sheet(folder: str | Path, share: float = 1.0) -> pd.DataFrame:
    """The sheet of tcga_gtex: one row per sample and source, matrices by path under `folder`."""
    folder = Path(folder)
    table = pd.read_csv(folder / "samples.tsv", sep="\t", dtype=str, keep_default_na=False)
    if share < 1:
        ranks = table["donor"].map(
            lambda donor: int(hashlib.sha256(donor.encode()).hexdigest()[:8], 16) / 16**8
        )
        table = table[ranks < share]
    return pd.DataFrame(
        {
            "sample": table["sample"] + "." + table["source"],
            "donor": table["donor"],
            "specimen": table["sample"],
            "study": table["study"],
            "project": table["cohort"],
            "source": table["source"],
            "disease_state": table["disease_state"],
            "tissue": table["tissue"],
            "subtype": table["subtype"],
            "matrix": [str(folder / name) for name in table["file"]],
            "column": table["sample"],
            "unit": table["unit"].map(UNITS),
        }
    )


if __name__ == "__main__":
    sheet = real_sheet(sys.argv[1], float(sys.argv[3]) if len(sys.argv) > 3 else 1.0)
    sheet.to_csv(sys.argv[2], sep="\t", index=False)
