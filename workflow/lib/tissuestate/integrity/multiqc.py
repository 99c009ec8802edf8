"""Custom content of MultiQC: mRIN per sample with the threshold, and gene-body coverage curves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tissuestate.files import atomic


def _write_section(
    path: str | Path, settings: Mapping[str, Any], table: pd.DataFrame, corner: str
) -> None:
    """Write a table with MultiQC's settings as comment lines before it (YAML, of which JSON is)."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        for key, value in settings.items():
            handle.write(f"# {key}: {json.dumps(value, ensure_ascii=False)}\n")
        table.to_csv(handle, sep="\t", index_label=corner, float_format="%.5g")


def write_multiqc_mrin(path: str | Path, mrin: pd.Series, threshold: float) -> None:
    """Write mRIN (index: sample) as points from lowest to highest, the threshold as a line.

    Samples without mRIN are left out. The name of the file must end in `_mqc.tsv`.
    """
    mrin = mrin.dropna().sort_values(kind="stable")
    lowest, highest = min([threshold, *mrin]), max([threshold, *mrin])
    margin = 0.05 * (highest - lowest)
    settings = {
        "id": "mrin",
        "section_name": "RNA integrity (mRIN)",
        "description": (
            "Modified RNA integrity number of each sample, from lowest to highest; samples below "
            f"the line at {threshold:g} are degraded and leave the cohort."
        ),
        "plot_type": "scatter",
        "pconfig": {
            "id": "mrin_plot",
            "title": "RNA integrity: mRIN",
            "xlab": "Rank",
            "ylab": "mRIN",
            "ymin": lowest - margin,
            "ymax": highest + margin,
            "y_lines": [{"value": threshold, "color": "#b2182b", "dash": "dash", "width": 2}],
        },
    }
    table = pd.DataFrame({"rank": range(1, len(mrin) + 1), "mRIN": mrin})
    _write_section(path, settings, table, corner="Sample")


def write_multiqc_coverage(path: str | Path, coverage: pd.DataFrame) -> None:
    """Write relative coverage (samples × bins from 5′ to 3′) as lines.

    Samples without coverage are left out. The name of the file must end in `_mqc.tsv`.
    """
    settings = {
        "id": "gene_body_coverage",
        "section_name": "Gene-body coverage",
        "description": (
            "Mean coverage of the abundant transcripts from 5′ to 3′, relative to each "
            "transcript's own mean; a curve that rises to the right shows degraded RNA."
        ),
        "plot_type": "linegraph",
        "pconfig": {
            "id": "gene_body_coverage_plot",
            "title": "RNA integrity: gene-body coverage",
            "xlab": "Position in the transcript, 5′ to 3′ (%)",
            "ylab": "Relative coverage",
            "ymin": 0,
        },
    }
    _write_section(
        path, settings, coverage.dropna(), corner=""
    )  # MultiQC then reads the header as x
