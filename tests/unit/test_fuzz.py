"""Broken and odd tables and bundles: one sentence or a result, never another exception."""

import gzip
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matrix_files import GDC, HTSEQ, ISOFORMS, KALLISTO, LAYOUTS, ONE_BAM, RSEM, SALMON, STAR
from tissuestate.bundle import format as bundle
from tissuestate.checksums import file_checksum
from tissuestate.classification.classifier import Classifier, Predictions
from tissuestate.classification.new_samples import read_new_samples
from tissuestate.errors import InputError
from tissuestate.sheet.sheet import read_sheet
from trained_bundle import GENES, gene_map, train_bundle

pytestmark = pytest.mark.slow

QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck)}
IDS = [*GENES, *gene_map().table["ensembl"], *gene_map().table["entrez"], "OLD3", "Gapdh", "", "|"]
CELLS = (
    st.floats(width=32)
    | st.integers(-(10**6), 10**12)
    | st.sampled_from(
        [None, "7", "x", "", "1e400", True, 3 + 4j, np.nan, pd.NA, pd.Timestamp(0), []]
    )
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_bundle(tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="module")
def classifier(trained) -> Classifier:
    return Classifier.load(trained[0])


def check(found: Predictions) -> None:
    """A result is complete: each sample is refused, or has probabilities that sum to 1."""
    table = found.table()
    assert len(table) == len(found.calls)
    for sample in found.calls.index:
        record = json.loads(json.dumps(found.record(sample), allow_nan=False))
        if record["refused"]:
            assert record["heads"] == {}
        else:
            for head in ("disease_state", "tissue"):
                shares = record["heads"][head]["probabilities"].values()
                assert sum(shares) == pytest.approx(1)


@settings(max_examples=150, **QUIET)
@given(
    cells=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=0, max_size=60),
    ids=st.lists(
        st.sampled_from(IDS) | st.integers() | st.text(max_size=4), min_size=60, max_size=60
    ),
    names=st.lists(st.text(max_size=3) | st.integers(0, 3), min_size=3, max_size=3),
    unit=st.sampled_from(["auto", "", "count", "normalised", "log2", "TPM"]),
)
def test_odd_frames_are_classified_or_raise_an_input_error(classifier, cells, ids, names, unit):
    frame = pd.DataFrame(cells, index=ids[: len(cells)], columns=names).T
    try:
        check(classifier.predict(frame, unit))
    except InputError as error:
        assert "\n" not in str(error)


@settings(max_examples=100, **QUIET)
@given(
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-30, 1e-3, 1, 1e3, 1e30, 1e38]),
    kind=st.sampled_from(["float32", "float64", "int8", "uint8", "bool", "Int64", "Float32"]),
    holes=st.sampled_from([0, 0.3, 0.7, 1]),
    unit=st.sampled_from(["auto", "count", "normalised", "log2"]),
)
def test_any_numbers_are_classified_or_raise_an_input_error(
    classifier, seed, scale, kind, holes, unit
):
    rng = np.random.default_rng(seed)
    values = rng.choice([-1, 0, 1, 2, 100], (2, 60), p=[0.02, 0.3, 0.3, 0.2, 0.18]) * scale
    if kind not in ("float32", "float64", "Float32"):
        values = np.clip(values, 0, 100).astype(int)
    frame = pd.DataFrame(values, ["a", "b"], GENES).astype(kind)
    if kind not in ("int8", "uint8", "bool"):
        frame = frame.mask(rng.random((2, 60)) < holes)
    try:
        check(classifier.predict(frame, unit))
    except InputError as error:
        assert "\n" not in str(error)


FILES = {
    **{name: text for name, text in LAYOUTS.items() if isinstance(text, str)},
    "star": STAR,
    "gdc": GDC,
    "rsem": RSEM,
    "isoforms": ISOFORMS,
    "salmon": SALMON,
    "kallisto": KALLISTO,
    "htseq": HTSEQ,
    "one bam": ONE_BAM,
}


@settings(max_examples=200, **QUIET)
@given(
    layout=st.sampled_from(sorted(FILES)),
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 12), st.binary(max_size=6)), max_size=4
    ),
    zipped=st.booleans(),
    cut=st.none() | st.floats(0, 1),
    unit=st.sampled_from(["", "count", "log2"]),
)
def test_damaged_files_of_every_layout_are_read_or_raise_an_input_error(
    classifier, tmp_path_factory, layout, edits, zipped, cut, unit
):
    content = FILES[layout].encode()
    for place, length, new in edits:
        start = int(place * len(content))
        content = content[:start] + new + content[start + length :]
    content = gzip.compress(content) if zipped else content
    content = content if cut is None else content[: int(cut * len(content))]
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "matrix.txt").write_bytes(content)
    sheet = folder / "sheet.tsv"
    sheet.write_text(f"sample\tmatrix\tunit\ns1\t{folder}/matrix.txt\t{unit}\n")
    try:
        for frame, units in read_new_samples(read_sheet(sheet, labelled=False), {}).frames:
            check(classifier.predict(frame, units))
    except InputError as error:
        assert "\n" not in str(error)


def forge(folder: Path, name: str, content: bytes) -> None:
    """Replace a file of a bundle as a careful forger would, checksums included."""
    (folder / name).write_bytes(content)
    description = json.loads((folder / "bundle.json").read_text())
    description["files"][name] = file_checksum(folder / name)
    description["checksum"] = bundle._description_checksum(description)
    (folder / "bundle.json").write_text(json.dumps(description))


@pytest.fixture
def forged(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained[0], tmp_path / "bundle"))


BINARY = [
    *("normaliser.npz", "imputation.npz", "correction.npz", "features.npz", "novelty.npz"),
    *("genes.tsv.gz", "multitask/weights.safetensors", "multitask/network.json"),
]


@pytest.mark.parametrize("name", BINARY)
def test_forged_files_with_fitting_checksums_are_refused(forged, name):
    whole = (forged / name).read_bytes()
    rng = np.random.default_rng(1)
    contents = [b"", whole[:10], whole[: len(whole) // 2], whole[:-1], b"\0" * 300, b"{}", b"[]"]
    for _ in range(15):
        damaged = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 4000), 3):
            damaged[place] = rng.integers(0, 256)
        contents.append(bytes(damaged))
    for content in contents:
        forge(forged, name, content)
        try:
            Classifier.load(forged)
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("features.npz", {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}),
        ("features.npz", {"descr": "|O", "fortran_order": False, "shape": (2,)}),
    ],
)
def test_arrays_of_objects_or_of_impossible_size_are_not_read(forged, name, header):
    import zipfile

    text = (repr(header) + "\n").encode()
    with zipfile.ZipFile(forged / name, "w") as archive:
        magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text))
        archive.writestr("kind.npy", magic + text + b"\0" * 64)
    forge(forged, name, (forged / name).read_bytes())
    with pytest.raises(InputError, match="not a readable npz"):
        Classifier.load(forged)


@pytest.mark.parametrize(
    "changes",
    [
        {"genes": []},
        {"genes": [1, 2, 3]},
        {"classes": {}},
        {"classes": {"disease_state": ["a"], "tissue": ["b"], "subtype": []}},
        {"temperatures": {"tissue": "hot"}},
        {"temperatures": {"tissue": 0}},
        {"thresholds": {}},
        {"thresholds": {"genes": "many"}},
        {"thresholds": {"genes": 1e999}},
        {"sets": {}},
        {"subtypes_of": {"kidney": ["no such"]}},
    ],
)
def test_a_forged_description_is_refused(forged, changes):
    path = forged / "bundle.json"
    description = json.loads(path.read_text()) | changes
    description["checksum"] = bundle._description_checksum(description)
    path.write_text(json.dumps(description))
    with pytest.raises(InputError):
        Classifier.load(forged)


def test_numbers_of_many_digits_are_refused(forged):
    path = forged / "bundle.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": ' + "9" * 10000))
    with pytest.raises(InputError, match=r"bundle\.json"):
        Classifier.load(forged)


def test_files_that_the_bundle_does_not_list_are_ignored(forged):
    (forged / "weights.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    Classifier.load(forged)
