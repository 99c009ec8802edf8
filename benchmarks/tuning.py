"""What sharing a search among workers costs and gains: best loss and wall time, on real samples.

make real
python benchmarks/tuning.py results/real/results benchmarks/tuning.tsv

Best loss: the multitask network on the first 50 principal components, 100 evaluations of 5 epochs
(the paper: 25) with batches of 64 to 256 (16 to 256) and widths of 16 to 128 (32 to 1,024), so that
five seeds of each way take minutes on a core; a row each way and seed. One round of 100 workers,
who know nothing of each other, is random search. Wall time: the same search through Snakemake on
two cores, by one worker with one or two threads and by two workers with one thread each.
"""

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import yaml
from anndata import read_h5ad
from tissuestate.models import search as tune
from tissuestate.models.samples import TaskData, read_task
from tissuestate.models.training import Recipe
from tissuestate.models.trials import Schedule, Trial, best_trial
from tissuestate.startup.config import read_layers

ROOT = Path(__file__).parents[1]
EVALUATIONS, EPOCHS, COMPONENTS = 100, 5, 50
WAYS = {  # workers × rounds
    "1 worker": Schedule(EVALUATIONS),
    "10 workers × 10 rounds": Schedule(EVALUATIONS, workers=10, rounds=10),
    "4 workers × 25 rounds": Schedule(EVALUATIONS, workers=4, rounds=25),
    "100 workers × 1 round": Schedule(EVALUATIONS, workers=100),
}
# Workers, rounds and threads of each timed run.
TIMED = [(1, 1, 1), (1, 1, 2), (2, 5, 1)]


def search_space() -> dict:
    config = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    return {**config["tuning"]["space"], "batch_size": [64, 256], "width": [16, 128]}


def reduce_features(results: Path, folder: Path) -> None:
    """A copy of the stages before tuning, with the first principal components alone."""
    (folder / "results" / "features").mkdir(parents=True)
    (folder / "results" / "cohort").mkdir()
    features = read_h5ad(results / "features" / "pca.h5ad")[:, :COMPONENTS]
    features.copy().write_h5ad(folder / "results" / "features" / "pca.h5ad")
    shutil.copy(results / "cohort" / "classes.json", folder / "results" / "cohort")


def search_in_rounds(data: TaskData, schedule: Schedule, seed: int, known: dict) -> list[Trial]:
    """The search as the workers would do it; what a seed has tried before is not done again."""
    history: list[Trial] = []
    space = tune.SearchSpace(search_space())
    for round_ in range(1, schedule.rounds + 1):
        earlier = list(history)
        for worker in range(1, schedule.workers + 1):
            own: list[Trial] = []
            for number in schedule.numbers(round_, worker):
                point = tune.propose_point([*earlier, *own], number, seed, space)
                key = (seed, number, json.dumps(point))
                if key not in known:
                    known[key] = tune.run_trial(
                        number,
                        point,
                        space,
                        data,
                        epochs=EPOCHS,
                        seed=seed,
                        recipe=Recipe(label_smoothing=0.02),
                        device="cpu",
                        threads=1,
                    )
                own.append(known[key])
            history += own
    return history


def compare_losses(data: TaskData, seeds: int) -> Iterator[dict]:
    """A row each seed and way, as they are found."""
    for seed in range(1, seeds + 1):
        known: dict = {}
        for way, schedule in WAYS.items():
            history = search_in_rounds(data, schedule, seed, known)
            losses = pd.Series([trial.loss for trial in history], dtype=float)
            row = {"measure": "best loss", "way": way, "seed": seed}
            row["value"] = round(float(best_trial(history).loss or 0), 4)
            row["median_of_last_20"] = round(float(losses.tail(20).median()), 4)
            yield row


def time_workflow(folder: Path) -> Iterator[dict]:
    """A row each way to use two cores."""
    for workers, rounds, threads in TIMED:
        config = read_layers(ROOT / "config/defaults.yaml", ROOT / "config/rnaseqdb.yaml")
        config["tuning"] = {
            "evaluations": EVALUATIONS,
            "epochs": EPOCHS,
            "workers": workers,
            "rounds": rounds,
            "space": search_space(),
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        shutil.rmtree(folder / "results" / "models", ignore_errors=True)
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", str(folder), "--configfile", str(folder / "config.yaml")]
        command += ["--cores", "2", "--set-threads", f"tune_network={threads}", "--quiet", "all"]
        command += ["--allowed-rules", "tune_network", "choose_hyperparameters"]
        command += ["--", "results/models/multitask.pca/hyperparameters.json"]
        started = time.perf_counter()
        subprocess.run(command, check=True)
        row = {"measure": "wall seconds on 2 cores", "seed": config["seed"]}
        row["way"] = f"{workers} × {threads} threads, {rounds} rounds"
        row["value"] = round(time.perf_counter() - started, 1)
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="of a run on real samples")
    parser.add_argument("table")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=["loss", "time"], help="renew one half of the table")
    options = parser.parse_args()
    rows = []
    if options.only and Path(options.table).exists():
        before = pd.read_csv(options.table, sep="\t")
        kept = before["measure"].eq("best loss") == (options.only == "time")
        rows = before[kept].to_dict("records")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reduce_features(options.results, folder)
        stages = folder / "results"
        data = read_task(
            stages / "features" / "pca.h5ad", stages / "cohort" / "classes.json", "multitask"
        )
        losses = [] if options.only == "time" else compare_losses(data, options.seeds)
        times = [] if options.only == "loss" else time_workflow(folder)
        for row in itertools.chain(losses, times):
            rows.append(row)
            print(row, flush=True)
            pd.DataFrame(rows).to_csv(options.table, sep="\t", index=False)


if __name__ == "__main__":
    main()
