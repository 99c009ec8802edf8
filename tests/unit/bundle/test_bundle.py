"""The bundle: written and read back, refused when damaged, and never a way to run code."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from tissuestate.arrays import save_arrays
from tissuestate.bundle import format as bundle
from tissuestate.errors import InputError

FILES = (*bundle.REQUIRED, *bundle.MODELS[0])  # of a bundle with networks
DESCRIPTION = {
    "classes": {"disease_state": ["neoplastic"], "tissue": ["kidney"], "subtype": []},
    "subtypes_of": {},
    "genes": ["A", "B"],
    "temperatures": {"tissue": 1.5},
    "thresholds": {"genes": 0.5},
    "sets": {"level": 0.9, "thresholds": {"tissue": 0.4}},
    "trust": {"sets": [], "answered": []},
    "metrics": [],
    "data": {},
    "config": {"seed": 1},
}


@pytest.fixture
def written(tmp_path):
    source = tmp_path / "source.npz"
    save_arrays(source, {"a": np.arange(3.0)})
    files = dict.fromkeys(FILES, source) | {"genes.tsv.gz": b"symbol\n"}
    bundle.write_bundle(tmp_path / "bundle", files, DESCRIPTION)
    return tmp_path / "bundle"


def test_what_was_written_is_read_from_the_folder_or_its_description(written):
    for path in (written, written / "bundle.json", str(written)):
        found = bundle.read_bundle(path)
        assert found.description["genes"] == ["A", "B"]
        assert found.path("features.npz").is_file()
        assert found.has("features.npz")
        assert not found.has("subtype/network.json")


def test_equal_contents_are_equal_bytes(written, tmp_path):
    files = {name: written / name for name in FILES}
    bundle.write_bundle(tmp_path / "again", files, DESCRIPTION)
    for file in sorted(path for path in written.rglob("*") if path.is_file()):
        assert (tmp_path / "again" / file.relative_to(written)).read_bytes() == file.read_bytes()


def test_a_bundle_that_is_replaced_stays_usable_under_its_fingerprint(written, tmp_path):
    archive = tmp_path / "bundles"
    old = bundle.read_bundle(bundle.keep_bundle(written, archive))
    files = {name: (written / name).read_bytes() for name in FILES}
    assert bundle.keep_bundle(written, archive) == old.folder, "the same bundle is kept once"
    # Another network from upstream: Snakemake deletes the outputs, and the rule writes them again.
    for path in sorted(written.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    files["multitask/weights.safetensors"] = b"other weights"
    bundle.write_bundle(written, files, DESCRIPTION)
    new = bundle.read_bundle(bundle.keep_bundle(written, archive))
    assert new.fingerprint != old.fingerprint
    assert new.fingerprint == bundle.read_bundle(written).fingerprint
    assert bundle.read_bundle(old.folder).description == old.description


@pytest.mark.parametrize("name", FILES)
def test_any_altered_file_is_refused_by_name(written, name):
    content = bytearray((written / name).read_bytes())
    content[-1] ^= 1
    (written / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        bundle.read_bundle(written)


@pytest.mark.parametrize("name", [*FILES, "bundle.json"])
def test_a_missing_or_truncated_file_is_refused(written, name):
    content = (written / name).read_bytes()
    (written / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=name):
        bundle.read_bundle(written)
    (written / name).unlink()
    with pytest.raises(InputError, match=name):
        bundle.read_bundle(written)


def test_an_edited_description_is_refused(written):
    text = (written / "bundle.json").read_text()
    (written / "bundle.json").write_text(text.replace('"tissue": 1.5', '"tissue": 9.5'))
    with pytest.raises(InputError, match="was changed"):
        bundle.read_bundle(written)


def rewrite(written, **changes):
    """Change the description as a careful forger would, its checksum included."""
    description = json.loads((written / "bundle.json").read_text()) | changes
    description["checksum"] = bundle._description_checksum(description)
    (written / "bundle.json").write_text(json.dumps(description))


def test_a_newer_format_names_what_to_do(written):
    rewrite(written, format=bundle.FORMAT + 1)
    with pytest.raises(InputError, match=r"format 2.*reads format 1"):
        bundle.read_bundle(written)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "features.pkl"])
def test_a_description_cannot_point_outside_or_at_other_kinds_of_file(written, name):
    rewrite(written, files={name: "0" * 64})
    with pytest.raises(InputError, match="no bundle has"):
        bundle.read_bundle(written)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "{" * 100_000, "\x00"])
def test_a_file_that_is_not_a_description_is_refused(written, text):
    (written / "bundle.json").write_text(text)
    with pytest.raises(InputError, match=r"bundle\.json"):
        bundle.read_bundle(written)


def test_an_interrupted_write_leaves_no_readable_bundle(written, tmp_path):
    files = {name: written / name for name in FILES}
    files["levels.npz"] = tmp_path / "not there"
    with pytest.raises(FileNotFoundError):
        bundle.write_bundle(written, files, DESCRIPTION)
    with pytest.raises(InputError, match="found no bundle"):
        bundle.read_bundle(written)


def test_a_bundle_holds_ridge_regression_or_networks():
    ridge = {*bundle.REQUIRED, "ridge.npz"}
    network = {"novelty.npz", "multitask/network.json", "multitask/weights.safetensors"}
    assert bundle.missing_files(ridge) == []
    assert bundle.missing_files({*bundle.REQUIRED, *network}) == []
    assert set(bundle.missing_files(bundle.REQUIRED)) == network
    assert bundle.missing_files(ridge - {"genes.tsv.gz"}) == ["genes.tsv.gz"]


def test_the_error_for_the_folder_above_a_bundle_names_the_bundle(written):
    inside = written.rename(written.parent / "bundle")
    with pytest.raises(InputError, match=f"it is in {inside}"):
        bundle.read_bundle(inside.parent)


def test_a_pickle_in_place_of_arrays_is_never_opened(written, tmp_path):
    from tissuestate.arrays import load_arrays

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (written / "features.npz").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError):
        bundle.read_bundle(written)
    with pytest.raises(InputError):
        load_arrays(written / "features.npz")
    assert not (tmp_path / "sprung").exists()


def test_the_data_are_described_in_counts_without_names():
    kept = pd.DataFrame(
        {
            "donor": ["secret1", "secret1", "secret2"],
            "study": ["GTEx", "GTEx", "TCGA"],
            "laboratory": ["GTEx", "GTEx", "TCGA"],
            "split": ["train", "test", "train"],
            "unit": ["count", "count", "log2"],
            "disease_state": ["non-neoplastic", "non-neoplastic", "neoplastic"],
            "tissue": "kidney",
            "subtype": ["", "", "kirc"],
        },
        index=["name1", "name2", "name3"],
    )
    classes = {
        "disease_state": ["non-neoplastic", "neoplastic"],
        "tissue": ["kidney"],
        "subtype": ["kirc"],
    }
    described = bundle.describe_data(kept, classes)
    assert described["samples"] == {"train": 2, "test": 1}
    assert described["units"] == {"count": 2, "log2": 1}
    assert described["donors"] == 2
    assert described["shared_donors"] == 1
    assert described["studies"]["TCGA"] == {"non-neoplastic": 0, "neoplastic": 1}
    assert described["contrasts"][0]["studies"] == ""
    assert described["laboratories"]["single"] == 2
    others = kept.assign(tissue="other", disease_state="", subtype="", split="background")
    both = bundle.describe_data(pd.concat([kept, others]), classes)
    assert both == {**described, "samples": {"train": 2, "test": 1, "background": 3}}
    text = json.dumps(described)
    assert "secret" not in text
    assert "name1" not in text
