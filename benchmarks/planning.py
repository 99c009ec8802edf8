"""From ten samples to the paper's 10,116: planning, merging, quality and mRIN, with stand-ins.

make demo
python benchmarks/planning.py results benchmarks/planning.tsv

Planning: `snakemake -n` of a sheet of samples from reads, beside a bare Snakefile of as many jobs.
The other rows run the library on what the aligner would have left: one count table of hg19's size
(57,820 genes), one profile of 18,338 transcripts, one STAR log and one summary, linked under the
name of every sample, so that a cohort of any size needs no room on the disk. `results` is a run
that has the names of genes. Seconds of processor time and of the clock; memory at its peak.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
GENES, TRANSCRIPTS = 57_820, 18_338
STATES = {"non-neoplastic": "GTEx", "peri-neoplastic": "TCGA", "neoplastic": "TCGA"}
BARE = """
SAMPLES = [f"S{{number:05d}}" for number in range({samples})]

rule all:
    input: expand("{{kind}}/{{sample}}", kind=["counts", "profiles"], sample=SAMPLES)

rule align:
    input: "reads/{{sample}}_1.fastq.gz", "reads/{{sample}}_2.fastq.gz"
    output: temp("align/{{sample}}.bam")
    shell: "touch {{output}}"

rule count:
    input: "align/{{sample}}.bam"
    output: "counts/{{sample}}"
    shell: "touch {{output}}"

rule profile:
    input: "align/{{sample}}.bam"
    output: "profiles/{{sample}}"
    shell: "touch {{output}}"
"""
STAR_LOG = """
                          Number of input reads |\t1000
                   Uniquely mapped reads number |\t900
        Number of reads mapped to multiple loci |\t50
"""
SUMMARY = "Status\tx.bam\nAssigned\t800\nUnassigned_Unmapped\t50\nUnassigned_NoFeatures\t150\n"
MERGE = """
from tissuestate.cohort import assemble, write_h5ad
from tissuestate.genes import GeneMap
from tissuestate.sheet import read_samples
samples = read_samples("split.tsv")
counts = {name: f"results/counts/{name}.tsv" for name in samples["sample"]}
write_h5ad("cohort.h5ad", assemble(samples, GeneMap.read("gene_ids.tsv.gz"), counts)[0])
"""
INTEGRITY = """
from tissuestate.integrity import score_cohort
from tissuestate.sheet import read_samples
names = read_samples("split.tsv")["sample"].tolist()
profiles = {name: f"results/integrity/profiles/{name}.npz" for name in names}
score_cohort(profiles, "transcripts.bed", set(names[: len(names) * 7 // 10]))
"""
QUALITY = """
import pandas as pd
from tissuestate.quality import decide_quality
from tissuestate.sheet import read_samples
samples = read_samples("split.tsv")
names = samples["sample"].tolist()
mrin = pd.DataFrame({"sample": names, "mrin": 0.0, "z": 0.0, "p": 0.5, "transcripts": 9000})
logs = {name: f"results/align/{name}.Log.final.out" for name in names}
decide_quality(samples, mrin, logs, {n: f"results/counts/{n}.tsv.summary" for n in names})
"""


def prepare(folder: Path, samples: int) -> None:
    """Sheet, config and stand-ins of a cohort."""
    rows = []
    for number in range(samples):
        state = list(STATES)[number % 3]
        reads = {f"fastq_{m}": f"reads/S{number:05d}_{m}.fastq.gz" for m in (1, 2)}
        row = {"sample": f"S{number:05d}", "donor": f"D{number:05d}", "study": STATES[state]}
        row |= {"source": "A", "disease_state": state, "tissue": "lung", "subtype": ""}
        rows.append({**row, **reads})
    sheet = pd.DataFrame(rows)
    sheet.to_csv(folder / "samples.tsv", sep="\t", index=False)
    more = {"specimen": "", "origin": "fastq", "unit": "count", "split": "train"}
    more |= {"matrix": "", "column": "", "strandedness": "auto", "project": ""}
    sheet.assign(**more).to_csv(folder / "split.tsv", sep="\t", index=False)
    config = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    config["samples"] = "samples.tsv"
    for kind in ("genome", "annotation"):
        config["reference"][kind] = {"path": kind, "checksum": None}
        (folder / kind).touch()
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for name in sheet["sample"]:
        for mate in (1, 2):
            path = folder / "reads" / f"{name}_{mate}.fastq.gz"
            path.parent.mkdir(exist_ok=True)
            path.write_text("reads")


def link_results(folder: Path, results: Path) -> None:
    """What a sample leaves, made once and linked under the name of every sample."""
    from tissuestate.profiles import BINS, Profile, digest, save_profile

    shutil.copy(results / "cohort" / "gene_ids.tsv.gz", folder)
    rng = np.random.default_rng(0)
    known = pd.read_csv(folder / "gene_ids.tsv.gz", sep="\t", dtype=str)
    ids = sorted(known.stack()[lambda cells: cells.str.startswith("ENSG")].unique())
    ids = [*ids, *(f"ENSG9{number:010d}" for number in range(GENES))][:GENES]
    lines = [f"{name}\t{count}" for name, count in zip(ids, rng.poisson(200, GENES), strict=True)]
    (folder / "counts").write_text("\n".join(["Geneid\tx.bam", *lines, ""]))
    bed = [f"chr1\t{i}000\t{i}500\tT{i}\t0\t+\t{i}000\t{i}500\t0\t1\t500,\t0," for i in
           range(TRANSCRIPTS)]  # fmt: skip
    (folder / "transcripts.bed").write_text("\n".join([*bed, ""]))
    d, abundance = rng.normal(0, 0.2, TRANSCRIPTS), rng.uniform(0, 20, TRANSCRIPTS)
    profile = Profile(d, abundance, rng.uniform(size=BINS), 1000)
    save_profile(folder / "profile.npz", profile, digest(folder / "transcripts.bed"))
    (folder / "log").write_text(STAR_LOG)
    (folder / "summary").write_text(SUMMARY)
    places = {
        "counts": "counts/{}.tsv",
        "summary": "counts/{}.tsv.summary",
        "profile.npz": "integrity/profiles/{}.npz",
        "log": "align/{}.Log.final.out",
    }
    for name in pd.read_csv(folder / "samples.tsv", sep="\t")["sample"]:
        for source, place in places.items():
            path = folder / "results" / place.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.hardlink_to(folder / source)


def measure(folder: Path, *command: str) -> dict[str, float]:
    """Seconds and peak memory of a command."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[:4]} failed with status {status}")
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("table")
    parser.add_argument("--samples", type=int, nargs="+", default=[10, 1_000, 10_116])
    options = parser.parse_args()
    plan = (sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--cores", "2")
    rows = []
    for samples in options.samples:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            prepare(folder, samples)
            (folder / "bare").write_text(BARE.format(samples=samples))
            snakefile = str(ROOT / "Snakefile")
            ways = {
                "plan": (*plan, "--snakefile", snakefile, "--configfile", "config.yaml"),
                "plan a bare Snakefile": (*plan, "--snakefile", "bare"),
                "quality": (sys.executable, "-c", QUALITY),
                "mRIN": (sys.executable, "-c", INTEGRITY),
                "merge": (sys.executable, "-c", MERGE),
            }
            for way, command in ways.items():
                if way == "quality":  # planned before, from nothing
                    link_results(folder, options.results)
                rows.append({"samples": samples, "what": way, **measure(folder, *command)})
                print(rows[-1], flush=True)
                pd.DataFrame(rows).to_csv(options.table, sep="\t", index=False)


if __name__ == "__main__":
    main()
