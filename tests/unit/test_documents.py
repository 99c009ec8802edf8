"""What the documents tell one to type or to open is there."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [path for path in (*ROOT.glob("*.md"), *ROOT.glob("config/*.md")) if path.is_file()]
SHIPPED = ("config", "envs", "profiles", "resources", "tests", "workflow", "benchmarks")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_targets_and_files_that_a_document_names_exist(path: Path) -> None:
    text = path.read_text()
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    assert set(re.findall(r"(?:`|^\$? *)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    named = re.findall(rf"`((?:{'|'.join(SHIPPED)})/[\w./-]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_citation_and_package_tell_one_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{citation["version"]}"' in project
    assert f'license = "{citation["license"]}"' in project
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


def test_ci_runs_tests_and_linters() -> None:
    commands = (ROOT / ".ci/run").read_text().splitlines()
    assert commands[-3:] == ["make test", "make test-cluster", "make lint"]
    assert "set -euo pipefail" in commands
