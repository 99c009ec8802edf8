"""The model bundle: a folder of plain data that classifies a new sample, and nothing else.

Arrays as npz, weights as safetensors, tables as text, one bundle.json that says what they are and
holds a checksum of each. Nothing in it is code or can become code on loading. The checksums show
damage and careless edits; they are no signature: whoever can replace all files can forge them.
"""

import hashlib
import json
import platform
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from tissuestate.checksums import file_checksum
from tissuestate.cohort.composition import (
    contrasts,
    present_states,
    split_table,
    states_of_tissue,
)
from tissuestate.cohort.laboratories import laboratory_support
from tissuestate.errors import InputError
from tissuestate.files import atomic
from tissuestate.labels import has_class

FORMAT = 1
VERSION = "0.1.0"  # x-release-please-version
DESCRIPTION = "bundle.json"
CARD = "MODEL_CARD.md"
# The bundle that comes with the code: resources/bundle, also in an installed package.
PRETRAINED = Path(__file__).parents[1] / "pretrained"
REQUIRED = (
    "normaliser.npz",
    "imputation.npz",
    "correction.npz",
    "features.npz",
    "genes.tsv.gz",
)
MODELS = (  # either of the two groups
    ("novelty.npz", "multitask/network.json", "multitask/weights.safetensors"),
    ("ridge.npz",),
)
OPTIONAL = (
    *(name for group in MODELS for name in group),
    "subtype/network.json",
    "subtype/weights.safetensors",
    "levels.npz",
    "training.npz",  # of earlier releases
    "integrity.npz",
    "transcripts.bed",
    CARD,  # not checked in bundles of earlier releases
)
FIELDS = {
    "classes": dict,
    "subtypes_of": dict,
    "genes": list,
    "temperatures": dict,
    "thresholds": dict,
    "sets": dict,
    "trust": dict,
    "metrics": list,
    "data": dict,
    "config": dict,
}
PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "torch", "safetensors", "anndata")


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are complete and unchanged."""

    folder: Path
    description: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its content: equal inputs give equal fingerprints, others different ones."""
        return self.description["checksum"]

    @property
    def name(self) -> str:
        """The name that its config gave it, or the path of its folder."""
        return self.description.get("name") or str(self.folder)

    def path(self, name: str) -> Path:
        """Path of the file `name` of the bundle."""
        return self.folder / name

    def has(self, name: str) -> bool:
        """Whether the bundle holds the file `name`."""
        return name in self.description["files"]


def page_facts(description: Mapping[str, Any]) -> dict[str, Any]:
    """What a page of a bundle always says: whether its samples were simulated, names of classes."""
    return {
        "simulated": bool(description.get("simulated", False)),
        "names": dict(description.get("names", {})),
    }


def describe_data(kept: pd.DataFrame, classes: Mapping[str, Any]) -> dict[str, Any]:
    """The training cohort in counts, without any name of a sample or donor.

    `kept` has one row per sample: donor, study, laboratory, split, unit, disease_state, tissue,
    subtype. Of samples without a class only the number is given.
    """
    samples = {str(name): int(count) for name, count in kept["split"].value_counts().items()}
    kept = kept[has_class(kept)]
    studies = pd.crosstab(kept["study"], kept["disease_state"])[present_states(kept)]
    return {
        "samples": samples,
        "units": {str(name): int(count) for name, count in kept["unit"].value_counts().items()},
        "donors": int(kept["donor"].nunique()),
        "shared_donors": int((kept.groupby("donor")["split"].nunique() > 1).sum()),
        "studies": {str(study): row.astype(int).to_dict() for study, row in studies.iterrows()},
        "states_of_tissue": states_of_tissue(kept),
        "laboratories": laboratory_support(kept),
        "classes": split_table(kept, classes).to_dict("records"),
        "contrasts": [
            *contrasts(kept).to_dict("records"),
            *contrasts(kept, "subtype").to_dict("records"),
        ],
    }


def metric_records(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """A table of metrics as JSON records, with null for NaN."""
    return json.loads(metrics.to_json(orient="records", double_precision=6))


def versions() -> dict[str, str]:
    """The versions of this library, of Python and of the packages that the numbers depend on."""
    found = {"tissuestate": VERSION, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def write_bundle(
    folder: str | Path, files: Mapping[str, str | Path | bytes], description: Mapping[str, Any]
) -> None:
    """Copy `files` (name in the bundle → source path or content) and write bundle.json last.

    `description` is anything JSON can hold, with at least the keys of `FIELDS`; format, versions
    and checksums are added. Equal inputs give equal bytes. An earlier bundle in the folder is
    unreadable until bundle.json is written.
    """
    folder = Path(folder)
    missing = missing_files(files)
    unknown = [name for name in files if name not in REQUIRED + OPTIONAL]
    if missing or unknown:
        raise ValueError(f"bundle files missing: {missing}; unknown: {unknown}")
    (folder / DESCRIPTION).unlink(missing_ok=True)
    checksums = {}
    for name, source in sorted(files.items()):
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
        with atomic(folder / name) as temporary:
            temporary.write_bytes(content)
        checksums[name] = hashlib.sha256(content).hexdigest()
    whole = {"format": FORMAT, "versions": versions(), **description, "files": checksums}
    whole["checksum"] = _description_checksum(whole)
    with atomic(folder / DESCRIPTION) as temporary:
        text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_bundle(path: str | Path) -> Bundle:
    """Open a bundle by its folder or its bundle.json, and verify every checksum.

    Raises InputError for a missing, damaged, altered or newer bundle. Reads no array and builds
    no network: see `tissuestate.classification.classifier`.
    """
    path = Path(path)
    folder = path.parent if path.name == DESCRIPTION else path
    description = _read_description(folder)
    for name, checksum in description["files"].items():
        _check_name(folder, name)
        file = folder / name
        if not file.is_file():
            raise InputError(
                f"{folder}: the bundle's file {name} is missing; copy the whole folder."
            )
        if file_checksum(file) != checksum:
            raise InputError(
                f"{file}: is not the file that was written into the bundle (its checksum "
                "differs); copy the bundle again from where it was made."
            )
    for name in missing_files(description["files"]):
        raise InputError(f"{folder / DESCRIPTION}: does not list {name}; build the bundle again.")
    return Bundle(folder, description)


def keep_bundle(folder: str | Path, archive: str | Path) -> Path:
    """Keep a bundle under its fingerprint in `archive`, so that the next does not replace it.

    Files are hard links if the disk allows, so keeping takes no space. Returns the folder in the
    archive.
    """
    bundle = read_bundle(folder)
    kept = Path(archive) / bundle.fingerprint[:12]
    for name in dict.fromkeys((*bundle.description["files"], CARD, DESCRIPTION)):
        if (bundle.folder / name).exists():
            with atomic(kept / name) as temporary:
                try:
                    temporary.hardlink_to(bundle.folder / name)
                except OSError:  # another disk, or one without links
                    shutil.copyfile(bundle.folder / name, temporary)
    return kept


def missing_files(names: Collection[str]) -> list[str]:
    """The files that a bundle needs and that are not among `names`.

    It needs those of its model: of ridge regression, or of networks if it has no ridge.npz.
    """
    networks, ridge = MODELS
    return [
        name
        for name in (*REQUIRED, *(ridge if ridge[0] in names else networks))
        if name not in names
    ]


def find_description(folder: str | Path) -> Path:
    """The bundle.json of a bundle's folder. Raises InputError if there is none."""
    path = Path(folder) / DESCRIPTION
    if not path.is_file():
        inside = path.parent / "bundle"
        where = (
            f"it is in {inside}"
            if (inside / DESCRIPTION).is_file()
            else "name the folder that holds it"
        )
        raise InputError(
            f"{folder}: found no {DESCRIPTION}, expected the folder of a bundle; {where}."
        )
    return path


def _read_description(folder: Path) -> dict[str, Any]:
    path = find_description(folder)
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not readable as JSON ({error}); copy the bundle again."
        ) from error
    if not isinstance(description, dict) or not isinstance(description.get("files"), dict):
        raise InputError(f"{path}: not the description of a bundle; copy the bundle again.")
    if description.get("format") != FORMAT:
        raise InputError(
            f"{path}: the bundle has format {description.get('format')!r}, this release reads "
            f"format {FORMAT}; use the release that wrote it, or build the bundle again."
        )
    if description.get("checksum") != _description_checksum(description):
        raise InputError(
            f"{path}: was changed after it was written (its checksum differs); copy the bundle "
            "again from where it was made."
        )
    for field, kind in FIELDS.items():
        if not isinstance(description.get(field), kind):
            raise InputError(f"{path}: {field!r} is missing or malformed; build the bundle again.")
    return description


def _check_name(folder: Path, name: str) -> None:
    """Refuse a file name that no bundle has, such as one outside its folder."""
    if name not in REQUIRED + OPTIONAL:
        raise InputError(f"{folder / DESCRIPTION}: lists a file that no bundle has: {name!r}.")


def _description_checksum(description: Mapping[str, Any]) -> str:
    content = {key: value for key, value in description.items() if key != "checksum"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
