"""The crate of a run, and the TRIPOD+AI checklist."""

import hashlib
import json
import re

import pytest
from conftest import DEFAULTS, ROOT
from reading import MARKUP, table_rows
from rocrate.rocrate import ROCrate
from tissuestate.report.checklist import checklist_facts
from tissuestate.report.crate import PROFILES, describe_run
from tissuestate.report.render import render
from tissuestate.startup.config import read_layers
from yte import process_yaml

SETTINGS = read_layers(DEFAULTS, ROOT / "config" / "config.yaml")


@pytest.fixture
def description():
    return {
        "versions": {"tissuestate": "0.1.0", "torch": "2.13.0+cpu"},
        "classes": {"disease_state": ["non-neoplastic", "neoplastic"], "tissue": ["liver"]},
        "genes": ["A"] * 1234,
        "thresholds": {"genes": 0.5},
        "metrics": [
            {
                "head": head,
                "metric": "accuracy",
                "n": 13,
                "value": value,
                "low": value,
                "high": value,
            }
            for head, value in (("tissue", 1.0), ("subtype", None))
        ],
        "trust": {"sets": [], "answered": []},
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
    assert run["object"] == {"@id": "config.yaml"}
    assert run["result"] == {"@id": "metrics.tsv"}
    assert run["startTime"] <= run["endTime"]
    root = entity(crate, "./")
    assert root["mainEntity"] == {"@id": "Snakefile"}
    assert root["mentions"] == {"@id": "#run"}
    assert {one["@id"] for one in root["conformsTo"]} == set(PROFILES)
    assert {one["@id"] for one in root["hasPart"]} == {"Snakefile", "config.yaml", "metrics.tsv"}
    assert "ComputationalWorkflow" in entity(crate, "Snakefile")["@type"]


def test_files_carry_their_fingerprint_and_the_metrics_their_values(crate, tmp_path):
    content = (tmp_path / "metrics.tsv").read_bytes()
    found = entity(crate, "metrics.tsv")
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert found["contentSize"] == str(len(content))
    assert found["variableMeasured"] == {"@id": "#tissue-accuracy"}
    assert entity(crate, "#tissue-accuracy")["value"] == 1
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


def test_a_simulated_run_says_so(crate, tmp_path, description):
    assert "imulated" not in json.dumps(crate)
    graph = described(tmp_path, description | {"simulated": True})["@graph"]
    assert entity(graph, "./")["description"].startswith("Simulated:")


def test_equal_runs_give_equal_crates(crate, tmp_path, description):
    assert described(tmp_path, description)["@graph"] == crate


def test_the_first_page_of_the_report_names_the_bundle(description):
    facts = {"name": f"?a: {MARKUP}", "checksum": "ab12" * 16, **description}
    found = process_yaml(render("metadata.yaml.j2", facts))
    assert found == {
        f"Samples that trained the bundle ?a: {MARKUP} (fingerprint ab12ab12ab12)": 70,
        "Samples that tested it": 14,
        "Genes that it knows": 1234,
    }


def checklist(description, settings) -> dict[str, str]:
    """The checklist's answers by item."""
    text = render("tripod.md.j2", checklist_facts(description, settings))
    return {number: answer for number, _, answer in table_rows(text)[1:]}


def test_the_checklist_has_every_item_and_an_answer(description):
    found = checklist(description, SETTINGS)
    assert {item.rstrip("abcdefg") for item in found} == {str(n) for n in range(1, 28)}
    assert all(found.values())
    text = render("tripod.md.j2", checklist_facts(description, SETTINGS))
    (open_, whole) = re.search(r"(\d+) of (\d+) items", text).groups()
    assert int(whole) == len(found) == len(re.findall(r"(?m)^\| \d", text))
    assert int(open_) == list(found.values()).count(found["17"]), "ethics are the authors' to state"


def test_the_checklist_is_filled_in_from_the_run(description):
    facts = checklist_facts(description, SETTINGS)
    assert facts["studies"] == {"GTEx": 50, "TCGA": 49}
    assert facts["classes"] == {"disease_state": 2, "tissue": 1}
    assert facts["samples"] == {"train": 70, "validation": 15, "test": 14}
    assert [row["question"] for row in facts["scores"]] == ["tissue"]
    assert facts["confounded"] == [("non-neoplastic", "neoplastic")]
    assert facts["split_by_donor"] and facts["fitted_on_training"]
    found = checklist(description, SETTINGS)
    assert "99 samples of 80 donors" in found["10"]
    assert "tissue of origin 13 of 13 (75–100 %)" in found["23a"]
    assert "non-neoplastic and neoplastic" in found["26"]


def test_the_checklist_states_fitting_on_all_samples_and_a_random_split(description):
    honest = checklist(description, SETTINGS)
    split = {"mode": "random", "fractions": [0.7, 0.15, 0.15]}
    paper = {**SETTINGS, "fit_on": "all", "split": split}
    facts = checklist_facts(description, paper)
    assert not facts["split_by_donor"] and not facts["fitted_on_training"]
    found = checklist(description, paper)
    assert {item for item in found if found[item] != honest[item]} == {"12a", "12b"}


def test_no_name_breaks_the_checklist(description):
    name = f"a|b\n{MARKUP}"
    description["data"]["studies"] = {name: {name: 3}}
    description["data"]["contrasts"][0]["first"] = name
    found = checklist(description, SETTINGS)
    shown = f"a|b {MARKUP}"
    assert found["5a"].startswith(f"{shown}: 3")
    assert f"{shown} and neoplastic" in found["26"]
