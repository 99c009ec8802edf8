"""The reference against the bundle: enough of its genes, in ids of whatever build."""

import gzip
import json
from pathlib import Path

import pytest
from tissuestate.errors import InputError
from tissuestate.reference.check import check_reference_fits

GENES = {f"G{i}": f"ENSG{i:011d}" for i in range(10)}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The files of a bundle that the check reads."""
    description = {"genes": list(GENES), "thresholds": {"genes": 0.2}}
    (tmp_path / "bundle.json").write_text(json.dumps(description))
    rows = [f"{symbol}\t{ensembl}\t\tA{symbol}|B{symbol}\t" for symbol, ensembl in GENES.items()]
    table = "\n".join(["symbol\tensembl\tentrez\taliases\ttranscripts", *rows])
    (tmp_path / "genes.tsv.gz").write_bytes(gzip.compress(table.encode()))
    return tmp_path


@pytest.mark.parametrize(
    "genes",
    [
        {"G1", "G2"},
        {"ENSG00000000003.7", "ENSG00000000004.9_6", "ENSG00000000004.9_6_PAR_Y"},
        {"AG3", "BG4", "other"},
    ],
    ids=["symbols", "Ensembl with versions", "aliases"],
)
def test_a_fitting_reference_is_accepted(bundle: Path, genes: set[str]) -> None:
    check_reference_fits(bundle, genes, "here")


def test_an_annotation_of_other_genes_is_refused(bundle: Path) -> None:
    with pytest.raises(InputError, match=r"here: has 1 of the 10 genes .*--configfile"):
        check_reference_fits(bundle, {"G1", "DEMO001"}, "here")


def test_an_unreadable_bundle_is_refused(bundle: Path) -> None:
    (bundle / "genes.tsv.gz").write_bytes(b"\x1f\x8b no gzip")
    with pytest.raises(InputError, match="not a readable bundle"):
        check_reference_fits(bundle, set(GENES), "here")
