"""Custom content of MultiQC: decisions on samples, RNA integrity and gene-body coverage.

Each section is a file of JSON whose name ends in `_mqc.json`. Samples that leave the cohort have
another colour than those that are kept.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tissuestate.files import atomic

KEPT, LEFT_OUT = "#0072B2", "#D55E00"


def write_multiqc_decisions(
    path: str | Path, quality: pd.DataFrame, least: Mapping[str, float]
) -> None:
    """Write what `decide_quality` found as columns of MultiQC's first table.

    least: the thresholds of aligned, assigned and mrin; a figure below its own is marked.
    """

    def figure(name: str, title: str, description: str, **more: Any) -> dict[str, Any]:
        below = {"fail": [{"lt": least[name] * (100 if "suffix" in more else 1)}]}
        return {
            "title": title,
            "description": description,
            "scale": False,
            "cond_formatting_rules": below,
            **more,
        }

    share: dict[str, Any] = {"suffix": "%", "format": "{:,.1f}", "min": 0, "max": 100}
    headers = {
        "kept": {
            "title": "Decision",
            "description": "whether the sample is in the cohort",
            "scale": False,
            "cond_formatting_rules": {"fail": [{"s_eq": "left out"}]},
        },
        "why": {"title": "Why", "description": "the figures below their limits", "scale": False},
        "reads": {
            "title": "Reads",
            "description": "reads, or pairs of reads",
            "scale": False,
            "format": "{:,.0f}",
        },
        "aligned": figure("aligned", "Aligned", "share of the reads that align", **share),
        "assigned": figure("assigned", "In genes", "share of the alignments in genes", **share),
        "mrin": figure("mrin", "mRIN", "RNA integrity; lower is degraded", format="{:,.3f}"),
    }
    shown = quality.set_index("sample").assign(
        kept=["kept" if kept else "left out" for kept in quality["kept"]],
        why=quality["reason"].to_numpy(),
        aligned=100 * quality["aligned"].to_numpy(),
        assigned=100 * quality["assigned"].to_numpy(),
    )
    cells = shown[list(headers)].replace("", None)
    data = {str(sample): row.dropna().to_dict() for sample, row in cells.iterrows()}
    settings = {"id": "tissuestate", "plot_type": "generalstats", "headers": headers}
    _write_section(path, settings, data)


def write_multiqc_mrin(path: str | Path, quality: pd.DataFrame, threshold: float) -> None:
    """Write mRIN as points from lowest to highest, the threshold as a line.

    quality: of `decide_quality`. Samples without mRIN are left out.
    """
    found = quality.dropna(subset="mrin").sort_values("mrin", kind="stable")
    lowest, highest = min([threshold, *found["mrin"]]), max([threshold, *found["mrin"]])
    margin = 0.05 * (highest - lowest)
    settings = {
        "id": "mrin",
        "section_name": "RNA integrity (mRIN)",
        "description": (
            "Modified RNA integrity number of each sample, from lowest to highest. Samples below "
            f"the line at {threshold:g} are degraded; orange ones leave the cohort."
        ),
        "plot_type": "scatter",
        "pconfig": {
            "id": "mrin_plot",
            "title": "RNA integrity: mRIN",
            "xlab": "Rank",
            "ylab": "mRIN",
            "ymin": lowest - margin,
            "ymax": highest + margin,
            "y_lines": [{"value": threshold, "color": "#1a1a1a", "dash": "dash", "width": 2}],
        },
    }
    data = {
        row.sample: {"x": rank, "y": float(f"{row.mrin:.5g}"), "color": _colour(row.kept)}
        for rank, row in enumerate(found.itertuples(), start=1)
    }
    _write_section(path, settings, data)


def write_multiqc_coverage(path: str | Path, quality: pd.DataFrame, coverage: pd.DataFrame) -> None:
    """Write relative coverage (samples × bins from 5′ to 3′) as lines.

    quality: of `decide_quality`. Samples without coverage are left out.
    """
    kept = quality.set_index("sample")["kept"]
    found = coverage.dropna()
    settings = {
        "id": "gene_body_coverage",
        "section_name": "Gene-body coverage",
        "description": (
            "Mean coverage of the abundant transcripts from 5′ to 3′, relative to each "
            "transcript's own mean. A curve that rises to the right shows degraded RNA; orange "
            "samples leave the cohort."
        ),
        "plot_type": "linegraph",
        "pconfig": {
            "id": "gene_body_coverage_plot",
            "title": "RNA integrity: gene-body coverage",
            "xlab": "Position in the transcript, 5′ to 3′ (%)",
            "ylab": "Relative coverage",
            "ymin": 0,
            "colors": {str(sample): _colour(kept[sample]) for sample in found.index},
        },
    }
    # Pairs: MultiQC would sort the keys of an object as text.
    data = {
        str(sample): [[float(place), float(f"{share:.5g}")] for place, share in row.items()]
        for sample, row in found.iterrows()
    }
    _write_section(path, settings, data)


def _colour(kept: bool) -> str:
    return KEPT if kept else LEFT_OUT


def _write_section(path: str | Path, settings: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    with atomic(path) as temporary:
        text = json.dumps({**settings, "data": data}, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
