"""The crate ties files, versions and metrics together; the checklist says what a run can know."""

import hashlib
import json

import pytest
from conftest import DEFAULTS, ROOT
from rocrate.rocrate import ROCrate
from tissuestate.config import read_layers
from tissuestate.crate import PROFILES, describe_run
from tissuestate.tripod import AUTHORS, checklist

SETTINGS = read_layers(DEFAULTS, ROOT / "config" / "config.yaml")


@pytest.fixture
def description():
    return {
        "versions": {"tissuestate": "0.1.0", "torch": "2.13.0+cpu"},
        "classes": {"disease_state": ["non-neoplastic", "neoplastic"], "tissue": ["liver"]},
        "genes": ["A"] * 1234,
        "thresholds": {"genes": 0.5},
        "metrics": [
            *(
                {"head": head, "metric": "balanced_accuracy", "n": 9} | found
                for head, found in (
                    ("tissue", {"value": 0.91, "low": 0.8, "high": 1.0}),
                    ("subtype", {"value": None, "low": None, "high": None}),
                )
            ),
        ],
        "data": {
            "samples": {"train": 70, "validation": 15, "test": 14},
            "donors": 80,
            "studies": {"GTEx": {"non-neoplastic": 50}, "TCGA": {"neoplastic": 49}},
            "contrasts": [{"first": "non-neoplastic", "second": "neoplastic", "studies": ""}],
            "fingerprints": {"the cohort": "ab12" * 16},
        },
    }


def described(folder, description):
    return describe_run(
        folder,
        folder / "Snakefile",
        {folder / "config.yaml": "The config"},
        {folder / "metrics.tsv": "The metrics"},
        description,
    )


@pytest.fixture
def crate(tmp_path, description):
    """A crate of three files, read back by the library."""
    for name in ("Snakefile", "config.yaml", "metrics.tsv"):
        (tmp_path / name).write_text(f"content of {name}\n")
    metadata = described(tmp_path, description)
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps(metadata))
    return metadata["@graph"]


def entity(graph, identifier):
    return next(one for one in graph if one["@id"] == identifier)


def test_a_run_has_a_workflow_inputs_and_results(crate):
    run = entity(crate, "#run")
    assert run["@type"] == "CreateAction"
    assert run["instrument"] == {"@id": "Snakefile"}
    assert run["object"] == [{"@id": "config.yaml"}]
    assert run["result"] == [{"@id": "metrics.tsv"}]
    assert run["startTime"] <= run["endTime"]
    root = entity(crate, "./")
    assert root["mainEntity"] == {"@id": "Snakefile"}
    assert root["mentions"] == [{"@id": "#run"}]
    assert {one["@id"] for one in root["conformsTo"]} == set(PROFILES)
    assert {one["@id"] for one in root["hasPart"]} == {"Snakefile", "config.yaml", "metrics.tsv"}
    assert "ComputationalWorkflow" in entity(crate, "Snakefile")["@type"]


def test_files_carry_their_fingerprint_and_the_metrics_their_values(crate, tmp_path):
    content = (tmp_path / "metrics.tsv").read_bytes()
    found = entity(crate, "metrics.tsv")
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert found["contentSize"] == str(len(content))
    assert found["variableMeasured"] == [{"@id": "#tissue-balanced_accuracy"}]
    assert entity(crate, "#tissue-balanced_accuracy")["value"] == 0.91
    torch = entity(crate, "https://pypi.org/project/torch/2.13.0/")
    assert torch["softwareVersion"] == "2.13.0+cpu"


def test_every_reference_in_the_crate_leads_somewhere(crate):
    known = {one["@id"] for one in crate}
    for one in crate:
        for value in one.values():
            for link in value if isinstance(value, list) else [value]:
                if isinstance(link, dict) and not link["@id"].startswith("https://"):
                    assert link["@id"] in known


def test_the_library_reads_it_back(crate, tmp_path):
    read = ROCrate(tmp_path)
    assert read.mainEntity.id == "Snakefile"
    assert read.mainEntity["programmingLanguage"]["name"] == "Snakemake"


def test_equal_runs_give_equal_crates(crate, tmp_path, description):
    assert described(tmp_path, description)["@graph"] == crate


def rows(text: str) -> dict[str, str]:
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {number: answer for number, _, answer in cells}


def test_the_checklist_is_filled_in_from_the_run(description):
    found = rows(checklist(description, SETTINGS))
    assert {str(n) for n in range(1, 28)} == {item.rstrip("abcdefg") for item in found} - {
        "item",
        "---",
    }
    assert "99 samples of 80 donors" in found["10"]
    assert "Tissue of origin 0.910 (0.800–1.000)" in found["23a"]
    assert "Never in the same study and source: non-neoplastic and neoplastic" in found["26"]
    assert "training samples only" in found["12b"]
    assert found["17"] == AUTHORS


def test_the_checklist_says_what_is_not_honest(description):
    paper = {
        **SETTINGS,
        "fit_on": "all",
        "split": {"mode": "random", "fractions": [0.7, 0.15, 0.15]},
    }
    found = rows(checklist(description, paper))
    assert "each sample for itself" in found["12a"]
    assert "fitted on all samples" in found["12b"]
