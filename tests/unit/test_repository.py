"""What the repository says of itself: one version, workflows of its CI, the catalogue, pins."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from tissuestate.bundle.format import VERSION
from tissuestate.report.crate import REPOSITORY

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MANIFEST = json.loads((ROOT / ".github" / "release-please-manifest.json").read_text())


def test_there_is_one_version_and_one_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == citation["version"] == MANIFEST["."] == VERSION
    assert project["urls"]["Repository"] == citation["repository-code"] == REPOSITORY
    assert project["license"] == citation["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


def test_a_release_changes_the_version_wherever_it_stands() -> None:
    release = json.loads((ROOT / ".github" / "release-please.json").read_text())
    marked = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.toml", "*.cff", "*.md", "workflow/lib/tissuestate/**/*.py")
        for path in ROOT.glob(pattern)
        if re.search(
            rf'"?{re.escape(VERSION)}"? +# x-release-please-version$', path.read_text(), re.M
        )
    }
    assert marked == set(release["packages"]["."]["extra-files"])


def test_workflows_of_the_ci_are_found() -> None:
    assert {path.stem for path in WORKFLOWS} == {"pin", "release-please", "test"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_of_the_ci_uses_exact_actions_and_targets_of_make(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    for job in jobs.values():
        choices = job.get("strategy", {}).get("matrix", {}).get("target", [])
        for step in job["steps"]:
            assert re.search(r"@[0-9a-f]{40}$", step.get("uses", f"@{40 * '0'}")), step
            named = re.findall(r"^make ([a-z-]+)$", step.get("run", ""))
            assert set(named or choices) <= targets, step


def test_the_catalogue_reads_that_a_report_can_be_made_in_both_places() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    deployment = usage["software-stack-deployment"]
    assert usage["report"] and deployment["report"] and deployment["conda"]
    assert usage["mandatory-flags"]["desc"]


def test_an_environment_with_packages_of_pip_has_no_pin() -> None:
    pins = {path.name.partition(".")[0] for path in (ROOT / "envs").glob("*.pin.txt")}
    with_pip = {
        path.stem for path in (ROOT / "envs").glob("*.yaml") if "- pip:" in path.read_text()
    }
    assert with_pip and not pins & with_pip
