"""From ten samples to the paper's 10,116: planning, merging, quality, mRIN, MultiQC: stand-ins.

make demo
python benchmarks/planning.py results benchmarks/planning.tsv

Planning: `snakemake -n` of a sheet of samples from reads, beside a bare Snakefile of as many jobs.
The other rows run the library on what the aligner would have left: one count table of hg19's size
(57,820 genes), one profile of 18,338 transcripts and one STAR log, linked under the name of every
sample, so that a cohort of any size needs little room on the disk; MultiQC also reads a summary of
featureCounts and a report of fastp (of simulated reads) that name each sample. `results` is a run
that has the names of genes. Seconds of processor time and of the clock; memory at its peak.
"""

import argparse
import os
import re
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
    output: temp("alignment/{{sample}}.bam")
    shell: "touch {{output}}"

rule count:
    input: "alignment/{{sample}}.bam"
    output: "counts/{{sample}}"
    shell: "touch {{output}}"

rule profile:
    input: "alignment/{{sample}}.bam"
    output: "profiles/{{sample}}"
    shell: "touch {{output}}"
"""
STAR_LOG = """                                 Started job on |\tNov 25 20:00:00
                             Started mapping on |\tNov 25 20:01:00
                                    Finished on |\tNov 25 20:21:00
       Mapping speed, Million of reads per hour |\t180.00

                          Number of input reads |\t60000000
                      Average input read length |\t150
                                    UNIQUE READS:
                   Uniquely mapped reads number |\t54000000
                        Uniquely mapped reads % |\t90.00%
                          Average mapped length |\t148.00
                       Number of splices: Total |\t30000000
            Number of splices: Annotated (sjdb) |\t29500000
                       Number of splices: GT/AG |\t29700000
                       Number of splices: GC/AG |\t250000
                       Number of splices: AT/AC |\t30000
               Number of splices: Non-canonical |\t20000
                      Mismatch rate per base, % |\t0.30%
                         Deletion rate per base |\t0.01%
                        Deletion average length |\t1.80
                        Insertion rate per base |\t0.01%
                       Insertion average length |\t1.50
                             MULTI-MAPPING READS:
        Number of reads mapped to multiple loci |\t3000000
             % of reads mapped to multiple loci |\t5.00%
        Number of reads mapped to too many loci |\t60000
             % of reads mapped to too many loci |\t0.10%
                                  UNMAPPED READS:
  Number of reads unmapped: too many mismatches |\t0
       % of reads unmapped: too many mismatches |\t0.00%
            Number of reads unmapped: too short |\t2700000
                 % of reads unmapped: too short |\t4.50%
                Number of reads unmapped: other |\t240000
                     % of reads unmapped: other |\t0.40%
                                  CHIMERIC READS:
                       Number of chimeric reads |\t0
                            % of chimeric reads |\t0.00%
"""
SUMMARY = """Status\t{bam}
Assigned\t40000000
Unassigned_Unmapped\t3000000
Unassigned_Read_Type\t0
Unassigned_Singleton\t0
Unassigned_MappingQuality\t0
Unassigned_Chimera\t0
Unassigned_FragmentLength\t0
Unassigned_Duplicate\t0
Unassigned_MultiMapping\t9000000
Unassigned_Secondary\t0
Unassigned_NonSplit\t0
Unassigned_NoFeatures\t11000000
Unassigned_Overlapping_Length\t0
Unassigned_Ambiguity\t3000000
"""
MERGE = """
from tissuestate.cohort.merge import assemble_cohort
from tissuestate.h5ad import write_h5ad
from tissuestate.matrices.gene_map import GeneMap
from tissuestate.sheet.samples import read_samples
samples = read_samples("split.tsv")
counts = {name: f"results/counts/{name}.tsv" for name in samples["sample"]}
write_h5ad("cohort.h5ad", assemble_cohort(samples, GeneMap.read("gene_ids.tsv.gz"), counts)[0])
"""
INTEGRITY = """
from tissuestate.integrity.mrin import score_cohort
from tissuestate.sheet.samples import read_samples
names = read_samples("split.tsv")["sample"].tolist()
profiles = {name: f"results/integrity/profiles/{name}.npz" for name in names}
score_cohort(profiles, "transcripts.bed", set(names[: len(names) * 7 // 10]))
"""
MULTIQC = """
import numpy as np
import pandas as pd
from tissuestate.integrity.multiqc import write_multiqc_coverage, write_multiqc_mrin
from tissuestate.sheet.samples import read_samples
names = read_samples("split.tsv")["sample"]
rng = np.random.default_rng(0)
mrin = pd.Series(rng.normal(0, 0.05, len(names)), names)
write_multiqc_mrin("results/integrity/mrin_mqc.tsv", mrin, -0.11)
bins = pd.DataFrame(rng.normal(1, 0.1, (len(names), 100)), names, range(1, 101))
write_multiqc_coverage("results/integrity/coverage_mqc.tsv", bins)
"""
QUALITY = """
import pandas as pd
from tissuestate.quality.decisions import decide_quality
from tissuestate.sheet.samples import read_samples
samples = read_samples("split.tsv")
names = samples["sample"].tolist()
mrin = pd.DataFrame({"sample": names, "mrin": 0.0, "z": 0.0, "p": 0.5, "transcripts": 9000})
logs = {name: f"results/alignment/{name}.Log.final.out" for name in names}
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
            path.write_text(f"@{name}\n{'ACG'[mate]}\n+\nI\n")


def link_results(folder: Path, results: Path) -> None:
    """What a sample leaves, made once and linked under the name of every sample."""
    from tissuestate.checksums import file_checksum
    from tissuestate.integrity.profiles import BINS, Profile, save_profile

    shutil.copy(results / "matrices" / "gene_ids.tsv.gz", folder)
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
    save_profile(folder / "profile.npz", profile, file_checksum(folder / "transcripts.bed"))
    (folder / "log").write_text(STAR_LOG)
    places = {
        "counts": "counts/{}.tsv",
        "profile.npz": "integrity/profiles/{}.npz",
        "log": "alignment/{}.Log.final.out",
    }
    for part in ("alignment", "counts", "integrity/profiles", "quality"):
        (folder / "results" / part).mkdir(parents=True)
    report = trim_simulated(folder, rng)
    for name in pd.read_csv(folder / "samples.tsv", sep="\t")["sample"]:
        for source, place in places.items():
            (folder / "results" / place.format(name)).hardlink_to(folder / source)
        summary = folder / "results" / "counts" / f"{name}.tsv.summary"
        summary.write_text(SUMMARY.format(bam=f"results/alignment/{name}.bam"))
        trimmed = folder / "results" / "alignment" / f"{name}.fastp.json"
        trimmed.write_text(report.replace("SAMPLE", name))
    subprocess.run([sys.executable, "-c", MULTIQC], cwd=folder, check=True)


def trim_simulated(folder: Path, rng: np.random.Generator) -> str:
    """What fastp reports of 2,000 simulated pairs of a sample named SAMPLE."""
    for mate in (1, 2):
        reads = ["".join(rng.choice(list("ACGT"), 75)) for _ in range(2000)]
        text = "".join(f"@r{i}\n{read}\n+\n{'I' * 75}\n" for i, read in enumerate(reads))
        (folder / f"{mate}.fq").write_text(text)
    command = "fastp --in1 1.fq --in2 2.fq --out1 o1.fq --out2 o2.fq --report_title SAMPLE"
    command += " --json fastp.json --html fastp.html"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return (folder / "fastp.json").read_text()


def summarise_command() -> tuple[str, ...]:
    """MultiQC as the rule calls it."""
    rule = (ROOT / "workflow" / "rules" / "quality.smk").read_text().split("rule summarise_quality")
    parts = re.findall(r'^        "(.*)"$', rule[1].split("shell:")[1], flags=re.M)
    command = "".join(parts).replace(":q}", "}").split(" > {log")[0]
    for name, path in {
        "params.results": "results",
        "output": "results/quality/multiqc.html",
        "input.mrin": "results/integrity/mrin_mqc.tsv",
        "input.coverage": "results/integrity/coverage_mqc.tsv",
    }.items():
        command = command.replace(f"{{{name}}}", path)
    return ("bash", "-c", command)


def measure(folder: Path, *command: str) -> dict[str, float]:
    """Seconds and peak memory of a command."""
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | {"PATH": search}, stdout=subprocess.DEVNULL
    )
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
    parser.add_argument("--only", nargs="+", help="renew these rows of the table")
    options = parser.parse_args()
    plan = (sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--cores", "2")
    rows = []
    if options.only:
        before = pd.read_csv(options.table, sep="\t")
        renewed = before["what"].isin(options.only) & before["samples"].isin(options.samples)
        rows = before[~renewed].to_dict("records")
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
                "MultiQC": summarise_command(),
            }
            for way, command in ways.items():
                if way == "quality":  # planned before, from nothing
                    link_results(folder, options.results)
                if options.only and way not in options.only:
                    continue
                rows.append({"samples": samples, "what": way, **measure(folder, *command)})
                print(rows[-1], flush=True)
                pd.DataFrame(rows).to_csv(options.table, sep="\t", index=False)


if __name__ == "__main__":
    main()
