"""The crate of a run fulfils the profiles that it claims, by the validator of RO-Crate's makers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import responses
import rocrate
from rocrate_validator.models import Severity
from rocrate_validator.services import ValidationSettings, validate
from tissuestate.report.crate import describe_run

TERMS = "https://w3id.org/ro/terms/workflow-run"
# What of the recommendations the crate leaves open.
OPEN = {
    # Who ran the workflow, and who publishes the run, is the user's to say.
    "process-run-crate-0.5_8.6",
    "ro-crate-1.1_22.2",
    "ro-crate-1.1_22.3",
    # It has no README, and does not list inputs and outputs of the workflow as Bioschemas does.
    "workflow-ro-crate-1.0_6.1",
    "workflow-ro-crate-1.0_6.2",
    "workflow-ro-crate-1.0_8.1",
    # Not of the crate: it is said of the types of the workflow's file.
    "process-run-crate-0.5_5.1",
}


@pytest.fixture
def contexts() -> Iterator[None]:
    """The contexts that a crate names, without a network; any other address is an error.

    The library carries the context of RO-Crate 1.3, which renamed one term that is used here.
    """
    library = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"
    context = json.loads(library.read_text())
    context["@context"]["ComputationalWorkflow"] = "https://bioschemas.org/ComputationalWorkflow"
    with responses.RequestsMock() as web:
        web.get("https://w3id.org/ro/crate/1.1/context", json=context)
        web.get(f"{TERMS}/context", json={"@context": {"sha256": f"{TERMS}#sha256"}})
        yield


def test_a_run_fulfils_the_profiles_that_it_claims(tmp_path: Path, contexts: None) -> None:
    for name in ("Snakefile", "config.yaml", "metrics.tsv"):
        (tmp_path / name).write_text(f"content of {name}\n")
    metric = {
        "head": "tissue",
        "metric": "accuracy",
        "n": 13,
        "value": 1.0,
        "low": 0.8,
        "high": 1.0,
    }
    description = {
        "versions": {"tissuestate": "0.1.0", "python": "3.11.7", "torch": "2.13.0+cpu"},
        "metrics": [metric],
        "data": {"samples": {"train": 70, "test": 13}},
    }
    inputs, results = {tmp_path / "config.yaml": "Config"}, {tmp_path / "metrics.tsv": "Metrics"}
    crate = describe_run(tmp_path, tmp_path / "Snakefile", inputs, results, description)
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps(crate))
    settings = ValidationSettings(
        rocrate_uri=str(tmp_path),
        profile_identifier="workflow-run-crate",
        requirement_severity=Severity.RECOMMENDED,
        no_cache=True,
    )
    issues = validate(settings).get_issues()
    found = {issue.check.identifier: f"{issue.severity.name}: {issue.message}" for issue in issues}
    assert not [said for said in found.values() if said.startswith("REQUIRED")], found
    assert {check: said for check, said in found.items() if check not in OPEN} == {}
