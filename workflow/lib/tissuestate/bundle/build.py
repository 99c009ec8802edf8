"""Building of a bundle from the files of the stages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tissuestate.arrays import save_arrays
from tissuestate.bundle.format import CARD, describe_data, metric_records, versions, write_bundle
from tissuestate.bundle.record import class_record
from tissuestate.bundle.sources import list_sources
from tissuestate.checksums import file_checksum
from tissuestate.errors import InputError
from tissuestate.evaluation.missing_genes import least_genes
from tissuestate.evaluation.outside import EVEN
from tissuestate.expression.levels import ClassLevels
from tissuestate.laboratories.calls import read_calls
from tissuestate.tables import plain_labels, read_table

OF_RIDGE = ("limits", "confounded_subtypes", "calibration")  # parts of calibration.json
QUALITIES = ("aligned", "assigned", "mrin")  # of reads, each with a minimum in the config


@dataclass(frozen=True)
class BundleSources:
    """The files that a bundle is made from; names are those of the workflow.

    `multitask` and `subtype` are the files of one network each (network.json,
    weights.safetensors), `left_out` and `left_out_calls` the scores and calls on laboratories left
    out. Empty is what a bundle lacks: novelty and networks or ridge, left_out and left_out_calls,
    subtype, integrity, transcripts and sources.
    """

    normaliser: str
    imputation: str
    correction: str
    transformer: str
    normalised: str
    genes: str
    cohort: str
    samples: str
    classes: str
    calibration: str
    metrics: str
    confusion: str
    sets: str
    abstention: str
    missing_genes: str
    novelty: str = ""
    multitask: Sequence[str] = ()
    subtype: Sequence[str] = ()
    ridge: str = ""
    left_out: str = ""
    left_out_calls: str = ""
    integrity: str = ""
    transcripts: str = ""
    sources: str = ""


def describe_bundle(sources: BundleSources, config: Mapping[str, Any]) -> dict[str, Any]:
    """The description of the bundle from `sources`, from which its model card is written."""
    import anndata

    cohort = anndata.read_h5ad(sources.cohort, backed="r")
    genes = cohort.var_names.astype(str).tolist()
    kept = plain_labels(cohort.obs)
    cohort.file.close()
    classes = json.loads(Path(sources.classes).read_text(encoding="utf-8"))
    calibration = json.loads(Path(sources.calibration).read_text(encoding="utf-8"))
    return {
        "versions": versions(),
        "classes": {head: classes[head] for head in ("disease_state", "tissue", "subtype")},
        "subtypes_of": classes["subtypes_of"],
        "genes": genes,
        "temperatures": calibration["temperatures"],
        "thresholds": {
            "genes": least_genes(read_table(sources.missing_genes)),
            **{name: config["quality"][f"min_{name}"] for name in QUALITIES},
        },
        "sets": calibration["sets"],
        **{name: calibration[name] for name in OF_RIDGE if name in calibration},
        "left_out": _left_out(sources.left_out),
        "metrics": metric_records(read_table(sources.metrics)),
        "record": class_record(
            kept,
            read_table(sources.confusion, text=("true", "called")),
            classes,
            read_calls(sources.left_out_calls) if sources.left_out_calls else None,
        ),
        "trust": _trust(sources.sets, sources.abstention),
        "data": {
            **describe_data(kept, classes),
            "sources": list_sources(sources.sources, kept) if sources.sources else [],
            "fingerprints": {
                "the sample sheet": file_checksum(sources.samples),
                "the cohort": file_checksum(sources.cohort),
            },
        },
        "config": dict(config),
    }


def build_bundle(
    folder: str | Path, sources: BundleSources, description: Mapping[str, Any], card: str
) -> None:
    """Write the bundle into `folder`: its files, its model card and its description.

    Everything in it was fitted before; this adds the usual levels of genes in each class. The gene
    map is complete: names of unused genes also decide which gene an id means.
    """
    with TemporaryDirectory() as parts:
        files: dict[str, str | Path | bytes] = {
            "normaliser.npz": sources.normaliser,
            "imputation.npz": sources.imputation,
            "correction.npz": sources.correction,
            "features.npz": sources.transformer,
            "levels.npz": _class_levels(sources.normalised, Path(parts) / "levels.npz"),
            "genes.tsv.gz": sources.genes,
            **_network("multitask", sources.multitask),
            **_network("subtype", sources.subtype),
            CARD: card.encode(),
        }
        if sources.ridge:
            files["ridge.npz"] = sources.ridge
        else:
            files["novelty.npz"] = sources.novelty
        if sources.integrity:
            files["integrity.npz"] = sources.integrity
            files["transcripts.bed"] = sources.transcripts
        write_bundle(folder, files, description)


def _network(task: str, paths: Sequence[str]) -> dict[str, str]:
    files = {f"{task}/{Path(path).name}": path for path in paths}
    if paths and set(files) != {f"{task}/network.json", f"{task}/weights.safetensors"}:
        raise InputError(f"the {task} network is not complete: {', '.join(map(str, paths))}")
    return files


def _trust(sets: str, abstention: str) -> dict[str, list[dict[str, Any]]]:
    """Coverage of the sets and share and accuracy of the answers, on all test samples by head."""
    covered, rule = (read_table(path) for path in (sets, abstention))
    return {
        "sets": metric_records(covered[covered["tissue"] == ""].drop(columns="tissue")),
        "answered": metric_records(rule[rule["rule"] == "abstention"].drop(columns="rule")),
    }


def _left_out(scores: str) -> list[dict[str, Any]]:
    """Scores of all laboratories left out, means over them; [] if none was."""
    if not scores:
        return []
    table = read_table(scores, text=("labels", "group", "member", "question"))
    kept = table[(table["labels"] == "all") & (table["member"] == EVEN)]
    columns = ["question", "metric", "value", "samples", "laboratories"]
    return metric_records(kept[columns])


def _class_levels(normalised: str | Path, path: Path) -> Path:
    from tissuestate.h5ad import read_features

    values, labels = read_features(normalised)
    training = (labels["split"] == "train").to_numpy()
    save_arrays(path, ClassLevels().fit(values[training], labels[training]).to_arrays())
    return path
