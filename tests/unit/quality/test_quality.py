"""The quality decision: real logs of the tools, every criterion, every reason."""

import json
import re
import subprocess
import sys
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from tissuestate.errors import InputError
from tissuestate.quality.decisions import (
    COLUMNS,
    ReadQuality,
    decide_quality,
    read_count_summary,
    read_quality,
    read_star_log,
)
from tissuestate.quality.multiqc import (
    KEPT,
    LEFT_OUT,
    write_multiqc_coverage,
    write_multiqc_decisions,
    write_multiqc_mrin,
)
from tissuestate.refusals import write_refusal

STAR_LOG = """                                 Started job on |	Nov 22 10:00:00
                      Number of input reads |	{reads}
                  Average input read length |	126
                                UNIQUE READS:
               Uniquely mapped reads number |	{unique}
                    Uniquely mapped reads % |	70.00%
                         MULTI-MAPPING READS:
    Number of reads mapped to multiple loci |	{multiple}
         % of reads mapped to multiple loci |	5.00%
    Number of reads mapped to too many loci |	999
"""
SUMMARY = "Status\tx.bam\nAssigned\t{assigned}\nUnassigned_Unmapped\t{unmapped}\nOther\t{other}\n"
DEFAULTS = {"reads": 1000, "unique": 700, "multiple": 50, "assigned": 600, "unmapped": 250,
            "other": 150, "mrin": 0.02}  # fmt: skip


@pytest.fixture
def decide(tmp_path):
    def decide(origins=None, **changes):
        """Decide on samples given as name={figure: value}; origin fastq unless said."""
        figures = {name: DEFAULTS | change for name, change in changes.items()}
        samples = pd.DataFrame({"sample": list(figures)})
        samples["origin"] = [(origins or {}).get(name, "fastq") for name in figures]
        logs, summaries = {}, {}
        for name, values in figures.items():
            logs[name] = tmp_path / f"{name}.Log.final.out"
            logs[name].write_text(STAR_LOG.format(**values))
            summaries[name] = tmp_path / f"{name}.tsv.summary"
            summaries[name].write_text(SUMMARY.format(**values))
        logs = {k: v for k, v in logs.items() if (origins or {}).get(k) != "bam"}
        mrin = pd.DataFrame({"sample": list(figures)})
        mrin["mrin"] = [values["mrin"] for values in figures.values()]
        mrin = mrin.assign(z=0.5, p=0.6, transcripts=120)
        return decide_quality(samples, mrin, logs, summaries).set_index("sample", drop=False)

    return decide


def test_figures_and_decision_are_in_the_table(decide):
    table = decide(good={}, bad={"mrin": -0.21, "unique": 260})
    assert list(table.columns) == list(COLUMNS)
    assert table.loc["good", ["reads", "aligned", "assigned"]].tolist() == [1000, 0.75, 0.6]
    assert table["kept"].tolist() == [True, False]
    assert table["reason"].tolist() == ["", "aligned 31.0% < 40.0%; mRIN -0.210 < -0.110"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"unique": 349}, "aligned 39.9% < 40.0%"),
        ({"unique": 350}, ""),
        ({"assigned": 5, "other": 745}, "assigned 0.50% < 1.00%"),
        ({"assigned": 10, "other": 740}, ""),
        ({"mrin": -0.11}, ""),
        ({"mrin": -0.1101}, "mRIN -0.110 < -0.110"),
        ({"mrin": np.nan}, "mRIN not measurable: no transcript is covered well enough"),
        ({"reads": 0, "unique": 0, "multiple": 0}, "aligned 0.0% < 40.0%"),
        ({"assigned": 0, "unmapped": 0, "other": 0}, "assigned 0.00% < 1.00%"),
    ],
)
def test_each_criterion_excludes_a_sample(change, reason, decide):
    table = decide(other={}, this=change)
    assert table.loc["this", "reason"] == reason
    assert table.loc["this", "kept"] == (reason == "")


def test_a_sample_from_bam_is_assessed_by_its_alignments(decide):
    table = decide(origins={"b": "bam"}, a={}, b={"unmapped": 3000})
    assert table.loc["b", "reads"] == 3750
    assert table.loc["b", "aligned"] == pytest.approx(0.2)
    assert "aligned 20.0% < 40.0%" in table.loc["b", "reason"]


def test_samples_from_matrices_have_no_row(decide):
    assert decide(origins={"m": "matrix"}, a={}, m={})["sample"].tolist() == ["a"]


def test_a_cohort_without_passing_samples_is_refused(decide):
    with pytest.raises(InputError, match=r"no sample passes .*\(the first: mRIN -0\.200 < -0\.110"):
        decide(a={"mrin": -0.2}, b={"mrin": -0.3})
    assert not decide(origins={"m": "matrix"}, a={"mrin": -0.2}, m={})["kept"].any()


def test_the_figures_of_one_sample(tmp_path):
    log, summary, refused = tmp_path / "x.Log.final.out", tmp_path / "x.summary", tmp_path / "r"
    log.write_text(STAR_LOG.format(**DEFAULTS))
    summary.write_text(SUMMARY.format(**DEFAULTS))
    write_refusal(refused, "no reads")
    assert read_quality(log, summary) == ReadQuality(1000, 0.75, 0.6)
    assert read_quality(None, summary) == ReadQuality(1000, 0.75, 0.6)
    summary.write_text(SUMMARY.format(assigned=1, unmapped=8, other=1))
    assert read_quality(None, summary) == ReadQuality(10, pytest.approx(0.2), 0.1)
    assert np.isnan(astuple(read_quality(log, refused))).all()


def test_files_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "x"
    path.write_text("no such log\n")
    with pytest.raises(InputError, match=r"not STAR's Log\.final\.out"):
        read_star_log(path)
    for text in ("", "Status\tx\n", "Status\tx\ty\nAssigned\t1\t2\n", "Status\tx\nAssigned\tq\n"):
        path.write_text(text)
        with pytest.raises(InputError, match="not featureCounts' summary"):
            read_count_summary(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_star_log(tmp_path / "nothing")


def test_a_sample_without_figures_is_refused(tmp_path):
    samples = pd.DataFrame({"sample": ["a"], "origin": ["fastq"]})
    mrin = pd.DataFrame(columns=["sample", "mrin", "z", "p", "transcripts"])
    with pytest.raises(InputError, match="sample 'a' has no count summary or no mRIN"):
        decide_quality(samples, mrin, {}, {})


def write_sections(folder, names, left_out):
    """The sections of MultiQC for these samples, one of them degraded."""
    found = pd.DataFrame({"sample": names, "reads": 100, "aligned": 0.9, "assigned": 0.8})
    found["mrin"] = [-0.3 if name == left_out else 0.1 for name in names]
    found["kept"] = found["sample"] != left_out
    found["reason"] = ["" if kept else "mRIN -0.300 < -0.110" for kept in found["kept"]]
    least = {"aligned": 0.4, "assigned": 0.01, "mrin": -0.11}
    write_multiqc_decisions(folder / "decisions_mqc.json", found, least)
    write_multiqc_mrin(folder / "mrin_mqc.json", found, -0.11)
    curves = pd.DataFrame(1.0, names, [str(place) for place in range(1, 13)])
    write_multiqc_coverage(folder / "coverage_mqc.json", found, curves)


@pytest.mark.slow
def test_multiqc_has_one_row_per_sample_whatever_the_names_end_in(snakemake, demo_folder):
    """The rule itself, on files of its inputs: MultiQC would take such endings off."""
    names = ["P1", "P1.sorted", "P1.dedup", "P1_counts", "P2", "P2.aligned", "P3.trim", "P4.report"]
    rows = pd.read_csv(ROOT / "resources/demo.tsv", sep="\t", dtype=str).head(len(names))
    rows["sample"] = rows["specimen"] = names
    (demo_folder / "resources").mkdir()  # a file there stands for the workflow's own
    rows.to_csv(demo_folder / "resources/demo.tsv", sep="\t", index=False)
    results = demo_folder / "results"
    for folder in ("alignment", "counts", "quality"):
        (results / folder).mkdir(parents=True)
    for name in names:
        (results / f"alignment/{name}.Log.final.out").write_text(STAR_LOG.format(**DEFAULTS))
        text = SUMMARY.format(**DEFAULTS).replace("x.bam", name)
        (results / f"counts/{name}.tsv.summary").write_text(text)
    write_sections(results / "quality", names, left_out="P2")
    target = "results/quality/multiqc.html"
    run = snakemake(demo_folder, "--allowed-rules", "summarise_quality", "--", target)
    assert run.returncode == 0, run.stdout[-3000:]
    page = (demo_folder / target).read_text()
    assert set(re.findall(r'data-original-sn="([^"]*)"', page)) == set(names)
    assert len(re.findall(">left out<", page)) == 1
    assert "Simulated" in page
    assert str(demo_folder) not in page
    assert "Summarize report" not in page  # the button of a language model


@pytest.mark.slow
def test_multiqc_draws_samples_that_leave_in_another_colour(tmp_path):
    write_sections(tmp_path, ["a", "b", "c"], left_out="b")
    subprocess.run(
        [sys.executable, "-m", "multiqc", "--no-ansi", "--outdir", tmp_path, tmp_path],
        check=True,
        capture_output=True,
    )
    plots = json.loads((tmp_path / "multiqc_data/multiqc_data.json").read_text())[
        "report_plot_data"
    ]
    mrin = plots["mrin_plot"]["datasets"][0]
    assert {point["name"]: (point["y"], point["color"]) for point in mrin["points"]} == {
        "a": (0.1, KEPT),
        "b": (-0.3, LEFT_OUT),
        "c": (0.1, KEPT),
    }
    assert [shape["y0"] for shape in mrin["layout"]["shapes"]] == [-0.11]
    lines = plots["gene_body_coverage_plot"]["datasets"][0]["lines"]
    assert {line["name"]: line["color"] for line in lines} == {"a": KEPT, "b": LEFT_OUT, "c": KEPT}
    assert [place for place, _ in lines[0]["pairs"]] == list(range(1, 13))
