"""The run as a Workflow Run RO-Crate: data, config, versions, metrics and bundle.

Profile: https://w3id.org/ro/wfrun/workflow/0.5 (Leo et al. 2024, PLoS ONE 19:e0309210).
"""

import mimetypes
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from tissuestate.bundle.format import page_facts
from tissuestate.checksums import file_checksum
from tissuestate.report.render import render

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
LICENCE = "https://spdx.org/licenses/MIT"
REPOSITORY = "https://github.com/tissuestate/tissuestate"
ARTICLE = "https://doi.org/10.1038/s41598-022-13665-5"


def describe_run(
    folder: str | Path,
    workflow: str | Path,
    inputs: Mapping[str | Path, str],
    results: Mapping[str | Path, str],
    description: Mapping[str, Any],
) -> dict[str, Any]:
    """The metadata (JSON-LD) of the crate whose root is `folder`.

    workflow, inputs, results: files under `folder`; inputs and results with a description of each.
    description: of the bundle, for versions and metrics. The run is dated by its files: from the
    oldest input to the newest result.
    """
    folder = Path(folder)
    crate = ROCrate(version="1.1")  # the version that the profiles extend
    crate.metadata.extra_contexts.append("https://w3id.org/ro/terms/workflow-run/context")
    crate.name = (
        "A classifier of disease state, tissue of origin and neoplastic subtype, and its run"
    )
    samples = description["data"]["samples"].get("train", 0)
    facts = {"samples": samples, **page_facts(description)}
    crate.description = render("crate.txt.j2", facts)
    crate.license = _add_entity(crate, LICENCE, "CreativeWork", name="MIT License", url=LICENCE)
    place, properties = _relative_path(folder, workflow), _describe_file(workflow)
    tool = crate.add_workflow(workflow, place, main=True, lang="snakemake", properties=properties)
    tool["name"], tool["url"] = "tissuestate", REPOSITORY
    tool["version"] = description["versions"]["tissuestate"]
    tool["license"], tool["citation"] = {"@id": LICENCE}, {"@id": ARTICLE}
    tool["softwareRequirements"] = [
        _add_software(crate, name, version)
        for name, version in description["versions"].items()
        if name != "tissuestate"
    ]
    used = [_add_file(crate, folder, path, text) for path, text in inputs.items()]
    made = [_add_file(crate, folder, path, text) for path, text in results.items()]
    made[0]["variableMeasured"] = _measurements(crate, description["metrics"])
    times = [
        datetime.fromtimestamp(Path(path).stat().st_mtime, UTC) for path in (*inputs, *results)
    ]
    run = _add_entity(
        crate,
        "#run",
        "CreateAction",
        name="The run that trained and tested the classifier",
        startTime=min(times).isoformat(timespec="seconds"),
        endTime=max(times).isoformat(timespec="seconds"),
        description="From the config and the cohort to metrics, benchmark, report and bundle.",
        actionStatus="http://schema.org/CompletedActionStatus",
    )
    run["instrument"], run["object"], run["result"] = tool, used, made
    crate.root_dataset["mentions"] = run
    crate.root_dataset["datePublished"] = max(times).isoformat(timespec="seconds")
    crate.root_dataset["conformsTo"] = [
        _add_entity(crate, url, "CreativeWork", name=name, version=version)
        for url, (name, version) in PROFILES.items()
    ]
    metadata = crate.metadata.generate()
    return {**metadata, "@graph": [_unwrap_single_values(one) for one in metadata["@graph"]]}


def _unwrap_single_values(entity: Mapping[str, Any]) -> dict[str, Any]:
    """An entity without lists of one value, as RO-Crate recommends."""
    return {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in entity.items()
    }


def _add_entity(crate: ROCrate, identifier: str, kind: str, **properties: Any) -> Entity:
    return crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **properties}))


def _add_software(crate: ROCrate, name: str, version: str) -> Entity:
    """Python itself, or a package of the Python Package Index."""
    page = f"https://pypi.org/project/{name}/{version.partition('+')[0]}/"
    if name == "python":
        page = f"https://www.python.org/downloads/release/python-{version.replace('.', '')}/"
    return _add_entity(
        crate, page, "SoftwareApplication", name=name, softwareVersion=version, url=page
    )


def _add_file(crate: ROCrate, folder: Path, path: str | Path, text: str) -> Entity:
    properties = {"name": text, **_describe_file(path)}
    return crate.add_file(path, _relative_path(folder, path), properties=properties)


def _relative_path(folder: Path, path: str | Path) -> str:
    return Path(path).relative_to(folder).as_posix()


def _describe_file(path: str | Path) -> dict[str, str]:
    """Size, kind and SHA-256 of a file."""
    kinds = {".tsv": "text/tab-separated-values", ".h5ad": "application/x-hdf5"}
    kinds |= {".md": "text/markdown", ".yaml": "application/yaml"}
    path = Path(path)
    kind = kinds.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
    size = str(path.stat().st_size)
    return {"contentSize": size, "encodingFormat": kind, "sha256": file_checksum(path)}


def _measurements(crate: ROCrate, metrics: Sequence[Mapping[str, Any]]) -> list[Entity]:
    return [
        _add_entity(
            crate,
            f"#{row['head']}-{row['metric']}",
            "PropertyValue",
            name=f"{row['metric']} of {row['head']} on {row['n']} test samples",
            value=row["value"],
            minValue=row["low"],
            maxValue=row["high"],
        )
        for row in metrics
        if row["value"] is not None
    ]
