"""Time and peak memory of every stage, from count matrix to bundle, as the cohort grows.

python benchmarks/stages.py FOLDER [--samples 1000 3000 10116] [--genes 17993] [--cores 2]

Runs the workflow itself, in a folder for each size, on cohorts resampled from the real RSEM counts
of RNAseqDB in $TISSUESTATE_DATA (else ../shared/data), class by class in the shares of the real
ones, with noise. What every rule and the report took goes into stages.tsv beside this file, with
the power of n by which time and memory grew since the size before: seconds as Snakemake's
`benchmark:` has them, processor time and peak memory as the kernel counts them for each process
(Snakemake asks every 30 s only, and misses peaks; at 10,116 samples the processor time of dt, sgd,
linear_svm and boosting is still what it saw, up to 30 s short). Rows of sizes not run again are
kept, and a run that was interrupted goes on where it stopped. Tuning and training are cut short
(columns evaluations, epochs): their time grows in proportion to these.
"""

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import psutil
import yaml
from tissuestate.config import read_layers

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TABLE = HERE / "stages.tsv"
PAPER = 10116, 17993
EVALUATIONS, EPOCHS = 2, 3
MEASURES = ["stage", "seconds", "cpu_seconds", "peak_memory_mb"]
LABELS = ["disease_state", "tissue", "subtype"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 3000, PAPER[0]])
    parser.add_argument("--genes", type=int, default=PAPER[1])
    parser.add_argument("--cores", type=int, default=2)
    return parser.parse_args()


def real_counts(genes: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Real counts (samples × genes), the most expressed genes, and the labels of the samples."""
    default = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("TISSUESTATE_DATA", default)) / "tcga_gtex"
    sheet = pd.read_csv(folder / "samples.tsv", sep="\t", dtype=str, keep_default_na=False)
    sheet = sheet[sheet["source"] == "rnaseqdb"].set_index("sample")
    tables = [pd.read_csv(folder / name, sep="\t", index_col=0) for name in sheet["file"].unique()]
    joined = pd.concat([t.drop(columns="Entrez_Gene_Id") for t in tables], axis=1, join="inner")
    counts = joined[sheet.index].T
    kept = np.sort(np.argsort(-counts.mean().to_numpy(), kind="stable")[:genes])
    return counts.iloc[:, kept], sheet


def write_cohort(folder: Path, samples: int, genes: int, components: int) -> Path:
    """The resampled matrix and its sheet in `folder`, unless they are there; a config's path."""
    config = read_layers(ROOT / "config/defaults.yaml", ROOT / "config/rnaseqdb.yaml")
    config |= {"samples": "samples.tsv", "rnaseqdb": None, "device": "cpu"}
    config["features"]["components"] = components
    config["tuning"] |= {"evaluations": EVALUATIONS, "epochs": EPOCHS}
    config["training"]["epochs"] = EPOCHS
    config["protocols"] |= {"seeds": 0, "leaks": [], "leave_out": []}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    if (folder / "samples.tsv").exists():
        return path
    counts, labels = real_counts(genes)
    rng = np.random.default_rng(samples)
    strata = labels.groupby(LABELS, sort=True).indices
    # At least three of each class, so that each has a training, a validation and a test sample.
    sizes = {key: max(3, round(samples * len(rows) / len(labels))) for key, rows in strata.items()}
    drawn = np.concatenate([rng.choice(strata[key], n) for key, n in sizes.items()])
    values = rng.standard_normal((len(drawn), counts.shape[1]), dtype=np.float32)
    np.exp(values * 0.3, out=values)
    values *= counts.to_numpy(dtype=np.float32)[drawn]
    np.round(values, out=values)
    names = [f"S{number}" for number in range(len(drawn))]
    obs, var = pd.DataFrame(index=names), pd.DataFrame(index=counts.columns.astype(str))
    anndata.AnnData(values, obs=obs, var=var).write_h5ad(folder / "counts.h5ad")
    sheet = labels.iloc[drawn][["study", *LABELS]].set_axis(names).rename_axis("sample")
    sheet = sheet.assign(donor=names, matrix="counts.h5ad", unit="count")
    sheet["source"] = np.where(rng.random(len(sheet)) < 0.5, "a", "b")
    sheet.to_csv(folder / "samples.tsv", sep="\t")
    return path


def used(process: psutil.Process) -> list[float]:
    """Processor seconds and peak memory in MB of a process so far; OSError if it has ended."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    peak = re.search(r"VmHWM:\s*(\d+) kB", status)
    if not peak:
        raise ProcessLookupError(process.pid)
    return [sum(process.cpu_times()[:2]), int(peak[1]) / 1024]


def run_watched(command: list[str], folder: Path) -> None:
    """Run the workflow, and keep in usage.json of `folder` what each rule used of the machine.

    The process of a rule is the one that has the rule's log open. What is over within a fifth of a
    second may not be seen.
    """
    kept, logs = folder / "usage.json", folder.resolve() / "results" / "logs"
    usage = json.loads(kept.read_text()) if kept.exists() else {}
    run = psutil.Popen(command)
    while run.poll() is None:
        for process in run.children(recursive=True):
            try:
                opened = [Path(file.path) for file in process.open_files()]
                so_far = used(process)
            except (psutil.Error, OSError):  # it has just ended
                continue
            for log in opened:
                if log.is_relative_to(logs):
                    usage[str(log.relative_to(logs).with_suffix(""))] = so_far
        kept.write_text(json.dumps(usage))
        time.sleep(0.2)
    if run.returncode:
        sys.exit(f"the run in {folder} failed")


def write_report(command: list[str]) -> pd.DataFrame:
    """Have Snakemake write the report of the run that `command` made; a row as of `measured`."""
    start, so_far = time.perf_counter(), [np.nan, np.nan]
    run = psutil.Popen([*command, "--report", "results/report.html"])
    while run.poll() is None:
        try:
            so_far = used(run)
        except (psutil.Error, OSError):  # it has just ended
            continue
        time.sleep(0.1)
    if run.returncode:
        sys.exit("the report was not written")
    return pd.DataFrame([("report", time.perf_counter() - start, *so_far)], columns=MEASURES)


def measured(folder: Path) -> pd.DataFrame:
    """What each rule took, in the order of the run; nothing where it was over too soon to see."""
    timings = folder / "results" / "timings"
    usage = json.loads((folder / "usage.json").read_text())
    rows = []
    for file in sorted(timings.rglob("*.tsv"), key=lambda file: file.stat().st_mtime):
        stage = str(file.relative_to(timings).with_suffix(""))
        found = pd.read_csv(file, sep="\t").iloc[-1]
        seen = found[["cpu_time", "max_rss"]].to_numpy(dtype=float)
        # Snakemake may have looked for the last time a little later
        rows.append((stage, found["s"], *np.maximum(usage.get(stage, np.nan), seen)))
    return pd.DataFrame(rows, columns=MEASURES)


def with_growth(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the power of n by which processor time and memory grew since the last size."""
    places = {stage: place for place, stage in enumerate(dict.fromkeys(table["stage"]))}
    order = ["genes", "cores", "place", "samples"]
    table = table.assign(place=table["stage"].map(places)).sort_values(order, kind="stable")
    figures = table[["cpu_seconds", "peak_memory_mb", "samples"]]
    logs = np.log(figures.where(figures > 0))
    steps = logs.groupby([table[column] for column in order[:3]]).diff()
    table["time_power"] = (steps["cpu_seconds"] / steps["samples"]).round(2)
    table["memory_power"] = (steps["peak_memory_mb"] / steps["samples"]).round(2)
    return table.drop(columns="place")


def main() -> None:
    options = parse()
    tables = [pd.read_csv(TABLE, sep="\t")] if TABLE.exists() else []
    for samples in options.samples:
        folder = options.folder / f"{samples}x{options.genes}"
        components = min(2000, samples // 2)
        config = write_cohort(folder, samples, options.genes, components)
        about = {"samples": samples, "genes": options.genes, "components": components}
        about |= {"cores": options.cores, "evaluations": EVALUATIONS, "epochs": EPOCHS}
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", str(folder), "--configfile", str(config), "--quiet", "all"]
        run_watched([*command, "--cores", str(options.cores)], folder)
        report = write_report(command)
        rows = pd.concat([measured(folder), report], ignore_index=True)
        columns = {"stage": rows["stage"], **about, **rows.drop(columns="stage")}
        tables.append(pd.DataFrame(columns))
        whole = pd.concat(tables, ignore_index=True)
        whole = whole.drop_duplicates(["stage", "samples", "genes", "cores"], keep="last")
        with_growth(whole).to_csv(TABLE, sep="\t", index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
