"""What the documents tell one to type or to open is there."""

import re
from pathlib import Path

import pytest
import yaml
from tissuestate.config_docs import config_table, read_schema, sheet_table, with_table

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    path
    for folder in (ROOT, ROOT / "config", ROOT / "docs")
    for path in sorted(folder.glob("*.md"))
]
SHIPPED = ("config", "docs", "envs", "profiles", "resources", "tests", "workflow", "benchmarks")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_targets_and_files_that_a_document_names_exist(path: Path) -> None:
    text = path.read_text()
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    assert set(re.findall(r"(?:`|^\$? *)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    named = re.findall(rf"`((?:{'|'.join(SHIPPED)})/[\w./-]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text())
    own = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in own if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_target_never_follows_a_config_file(path: Path) -> None:
    """There Snakemake takes it for a second config file, and ends with a traceback."""
    wrong = re.compile(r"--configfiles?( [\w./-]+\.ya?ml)+ (?![-#])(?![\w./-]+\.ya?ml)\S")
    assert wrong.search("snakemake --configfile a.yaml b.yaml cohort")
    commands = re.findall(r"(?m)(?:^ *|`)snakemake [^`\n]*", path.read_text())
    assert [command for command in commands if wrong.search(command)] == []


@pytest.mark.parametrize(
    ("page", "schema", "table"),
    [
        ("configuration.md", "config.schema.yaml", config_table),
        ("sample-sheet.md", "samples.schema.yaml", sheet_table),
    ],
)
def test_tables_of_the_documents_are_those_of_the_schemas(page, schema, table) -> None:
    text = (ROOT / "docs" / page).read_text()
    made = table(read_schema(ROOT / "workflow" / "schemas" / schema))
    assert text == with_table(text, schema, made), "run make docs"
    rows = [line.split(" | ") for line in made.splitlines()]
    assert len(rows) > 15 and {len(row) for row in rows} == {len(rows[0])}


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
