"""Making a bundle out of what the stages wrote."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tissuestate.bundle import (
    CARD,
    describe_data,
    metric_records,
    versions,
    write_bundle,
)
from tissuestate.checksums import file_checksum
from tissuestate.errors import InputError
from tissuestate.files import save_arrays
from tissuestate.missing_genes import least_genes
from tissuestate.model_card import write_card
from tissuestate.tables import plain_labels, read_table
from tissuestate.training_map import TrainingMap

QUALITIES = ("aligned", "assigned", "mrin")  # of reads, each with its least in the config


@dataclass(frozen=True)
class Stages:
    """The files of the stages that a bundle is made from; names are those of the workflow.

    `multitask` and `subtype` are the files of one network each (network.json,
    weights.safetensors); subtype, integrity and transcripts are empty where the cohort has none.
    """

    normaliser: str
    imputation: str
    correction: str
    transformer: str
    features: str
    novelty: str
    genes: str
    cohort: str
    samples: str
    classes: str
    calibration: str
    metrics: str
    sets: str
    answered: str
    missing_genes: str
    multitask: Sequence[str]
    subtype: Sequence[str] = ()
    integrity: str = ""
    transcripts: str = ""


def build_bundle(folder: str | Path, stages: Stages, config: Mapping[str, Any]) -> None:
    """Write the bundle into `folder`, its model card included.

    Everything in it was fitted before; this adds a plane on which new samples can be shown, and the
    description. The gene map goes in whole: names of genes that are not in use decide, too, which
    gene an id stands for.
    """
    import anndata

    cohort = anndata.read_h5ad(stages.cohort, backed="r")
    genes = cohort.var_names.astype(str).tolist()
    kept = plain_labels(cohort.obs)
    cohort.file.close()
    classes = json.loads(Path(stages.classes).read_text(encoding="utf-8"))
    calibration = json.loads(Path(stages.calibration).read_text(encoding="utf-8"))
    with TemporaryDirectory() as parts:
        files: dict[str, str | Path | bytes] = {
            "normaliser.npz": stages.normaliser,
            "imputation.npz": stages.imputation,
            "correction.npz": stages.correction,
            "features.npz": stages.transformer,
            "novelty.npz": stages.novelty,
            "training.npz": _training_map(stages.features, Path(parts) / "training.npz"),
            "genes.tsv.gz": stages.genes,
            **_network("multitask", stages.multitask),
            **_network("subtype", stages.subtype),
        }
        if stages.integrity:
            files["integrity.npz"] = stages.integrity
            files["transcripts.bed"] = stages.transcripts
        description = {
            "classes": {head: classes[head] for head in ("disease_state", "tissue", "subtype")},
            "subtypes_of": classes["subtypes_of"],
            "genes": genes,
            "temperatures": calibration["temperatures"],
            "thresholds": {
                "genes": least_genes(read_table(stages.missing_genes)),
                **{name: config["quality"][f"min_{name}"] for name in QUALITIES},
            },
            "sets": calibration["sets"],
            "metrics": metric_records(read_table(stages.metrics)),
            "trust": _trust(stages.sets, stages.answered),
            "data": {
                **describe_data(kept, classes),
                "fingerprints": {
                    name: file_checksum(path)
                    for name, path in (
                        ("the sample sheet", stages.samples),
                        ("the cohort", stages.cohort),
                    )
                },
            },
            "config": dict(config),
        }
        files[CARD] = write_card({**description, "versions": versions()}).encode()
        write_bundle(folder, files, description)


def _network(task: str, paths: Sequence[str]) -> dict[str, str]:
    files = {f"{task}/{Path(path).name}": path for path in paths}
    if paths and set(files) != {f"{task}/network.json", f"{task}/weights.safetensors"}:
        raise InputError(f"the {task} network is not complete: {', '.join(map(str, paths))}")
    return files


def _trust(sets: str, answered: str) -> dict[str, list[dict[str, Any]]]:
    """What the sets cover and what abstention leaves, of all test samples of a head."""
    covered, rule = (read_table(path) for path in (sets, answered))
    return {
        "sets": metric_records(covered[covered["tissue"] == ""].drop(columns="tissue")),
        "answered": metric_records(rule[rule["rule"] == "abstention"].drop(columns="rule")),
    }


def _training_map(features: str | Path, path: Path) -> Path:
    from tissuestate.tasks import read_features

    values, labels = read_features(features)
    training = (labels["split"] == "train").to_numpy()
    save_arrays(path, TrainingMap().fit(values[training], labels[training]).to_arrays())
    return path
