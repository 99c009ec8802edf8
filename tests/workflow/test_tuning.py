"""Tuning as jobs: rounds of workers, killed and taken up again, find what one process would."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from anndata import AnnData
from conftest import ROOT, write_config
from tissuestate.models import search as tune
from tissuestate.models import trials
from tissuestate.models.samples import read_task
from tissuestate.models.training import read_recipe

SHARED = {"evaluations": 6, "epochs": 2, "workers": 2, "rounds": 2}
MODEL = Path("results/models/multitask.pca")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Features and classes as the stages before tuning would have left them, and a config."""
    rng = np.random.default_rng(0)
    state = rng.choice(["neoplastic", "non-neoplastic"], 60)
    data = AnnData(rng.normal(size=(60, 4)).astype(np.float32))
    data.X[state == "neoplastic"] += 2
    data.obs["disease_state"], data.obs["tissue"] = state, rng.choice(["liver", "lung"], 60)
    data.obs["subtype"], data.obs["split"] = "", ["train"] * 40 + ["validation"] * 20
    (tmp_path / "results" / "features").mkdir(parents=True)
    data.write_h5ad(tmp_path / "results" / "features" / "pca.h5ad")
    classes = {"disease_state": sorted(set(state)), "tissue": ["liver", "lung"]}
    (tmp_path / "results" / "cohort").mkdir()
    (tmp_path / "results" / "cohort" / "classes.json").write_text(json.dumps(classes))
    (tmp_path / "config").symlink_to(ROOT / "config")
    write_config(tmp_path, tuning=SHARED, device="cpu")
    return tmp_path


def arguments(folder: Path) -> list[str]:
    rules = ["--allowed-rules", "tune_network", "choose_hyperparameters"]
    options = ["--configfile", str(folder / "config.yaml"), "--set-threads", "tune_network=1"]
    return [*options, *rules, "--", f"{MODEL}/trials.jsonl"]


def kill_in_the_second_round(folder: Path) -> None:
    """Start the search and kill all of its processes, as a node that dies does."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--cores", "2", *arguments(folder)]
    with (folder / "killed.log").open("w") as log:
        run = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    second = folder / MODEL / "tuning"
    while run.poll() is None and not list(second.glob("2.*.journal")):
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def test_a_killed_search_of_two_workers_ends_like_an_undisturbed_one(
    snakemake, folder: Path
) -> None:
    kill_in_the_second_round(folder)
    assert not (folder / MODEL / "trials.jsonl").exists(), (folder / "killed.log").read_text()
    first = {path: path.stat().st_mtime_ns for path in (folder / MODEL / "tuning").glob("1.*")}
    snakemake(folder, "--unlock", *arguments(folder))
    run = snakemake(folder, *arguments(folder))
    assert run.returncode == 0, run.stdout
    assert len(first) == 2, "the first round was done before the kill"
    assert first == {path: path.stat().st_mtime_ns for path in first}, "and not done again"

    config = yaml.safe_load((folder / "config.yaml").read_text())
    data = read_task(
        folder / "results/features/pca.h5ad", folder / "results/cohort/classes.json", "multitask"
    )
    schedule, expected = trials.Schedule(6, workers=2, rounds=2), []
    for round_ in (1, 2):
        earlier = list(expected)
        for worker in (1, 2):
            expected += tune.run_search(
                data,
                config["tuning"]["space"],
                numbers=schedule.numbers(round_, worker),
                earlier=earlier,
                epochs=2,
                seed=config["seed"],
                recipe=read_recipe(config["training"]["recipe"]),
                device="cpu",
                threads=1,
            )
    found = trials.read_trials([folder / MODEL / "trials.jsonl"])
    assert [(t.number, t.point) for t in found] == [(t.number, t.point) for t in expected]
    np.testing.assert_allclose([t.loss for t in found], [t.loss for t in expected], rtol=1e-5)
    chosen = json.loads((folder / MODEL / "hyperparameters.json").read_text())
    assert chosen == trials.best_trial(expected).parameters


def test_more_workers_than_evaluations_are_refused_before_anything_runs(
    snakemake, folder: Path
) -> None:
    write_config(folder, tuning={**SHARED, "workers": 7})
    run = snakemake(folder, *arguments(folder))
    assert run.returncode != 0 and "Traceback" not in run.stdout
    assert "6 evaluations among 2 rounds of 7 workers" in run.stdout
    assert not (folder / MODEL).exists()
