"""A rule that gets a GPU runs in the environment whose torch can use it, and no other rule does."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yte
from conftest import ROOT

GPU_RULES = {"tune_network", "train_network"}
PROFILES = sorted(path.name for path in (ROOT / "profiles").iterdir())
# The line of a profile that is edited for a cluster without GPUs.
WITHOUT_GPUS = {
    "slurm": ("gpu_model: any", "gpu_model: none"),
    "kubernetes": ("gpus: nvidia", "gpus: none"),
}
SNAKEFILE = f"""
import json


include: "{ROOT}/workflow/Snakefile"


found = {{
    r.name: [Path(r.conda_env).name, r.resources["gpu"].raw if "gpu" in r.resources else 0]
    for r in workflow.rules
    if r.conda_env
}}
Path("environments.json").write_text(json.dumps(found))
"""


def rules_with_gpus(folder: Path, *arguments: str) -> set[str]:
    """The rules that ask for a GPU if Snakemake gets these arguments.

    They run in torch-gpu.yaml, and no others do.
    """
    (folder / "Snakefile").write_text(SNAKEFILE)
    command = [sys.executable, "-m", "snakemake", "--list-rules", *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads((folder / "environments.json").read_text())
    assert len(found) > 20 and found.keys() >= GPU_RULES
    asking = {rule for rule, (_, gpus) in found.items() if gpus}
    assert {rule for rule, (file, _) in found.items() if file == "torch-gpu.yaml"} == asking
    return asking


def test_every_profile_is_looked_at() -> None:
    assert {*PROFILES} == {*WITHOUT_GPUS, "default"}


@pytest.mark.parametrize("name", WITHOUT_GPUS)
def test_torch_can_use_the_gpu_that_a_profile_reserves(demo_folder: Path, name: str) -> None:
    profile = Path(shutil.copytree(ROOT / "profiles" / name, demo_folder / "profile"))
    assert rules_with_gpus(demo_folder, "--profile", str(profile)) == GPU_RULES
    for file in profile.iterdir():
        text = file.read_text()
        assert WITHOUT_GPUS[name][0] in text
        file.write_text(text.replace(*WITHOUT_GPUS[name]))
    assert rules_with_gpus(demo_folder, "--profile", str(profile)) == set()


def test_without_a_cluster_the_device_decides(demo_folder: Path) -> None:
    profile = ("--profile", str(ROOT / "profiles" / "default"), "--config")
    assert rules_with_gpus(demo_folder, *profile, "device=cuda") == GPU_RULES
    assert rules_with_gpus(demo_folder, *profile, "device=cpu") == set()


def test_the_model_of_a_gpu_is_asked_for() -> None:
    text = (ROOT / "profiles" / "slurm" / "config.yaml").read_text()
    edited = yte.process_yaml(text.replace("gpu_model: any", "gpu_model: a100"))
    assert edited["set-resources"]["train_network"] == {"gpu": 1, "gpu_model": "a100"}
