"""Logarithms whose base and constant are stated come back to what they were."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tissuestate.labels import is_unit, parse_logarithm, plain_unit
from tissuestate.matrices.read import read_matrix
from tissuestate.matrices.units import linear_scale, to_plain_unit

LOGARITHMS = {
    "log2(x+0.001)": (np.log2, 0.001),
    "log2(x + 0.1)": (np.log2, 0.1),
    "log2(x+1)": (np.log2, 1),
    "ln(x+1)": (np.log, 1),
    "log10(x+1e-2)": (np.log10, 0.01),
}


@pytest.mark.parametrize("unit", LOGARITHMS)
@pytest.mark.parametrize("least", [0.0, 3.0], ids=["zeros", "no zeros"])
def test_a_stated_logarithm_is_undone(unit: str, least: float) -> None:
    logarithm, added = LOGARITHMS[unit]
    values = np.random.default_rng(3).gamma(0.3, 200, (4, 500)) + least
    values[:, :50] = least
    plain, refused = to_plain_unit(logarithm(values + added), unit)
    assert not refused and plain_unit(unit) == "log2"
    largest = np.abs(linear_scale(plain, "log2") - values).max()
    print(f"largest difference: {largest:.1e}")
    assert largest < 1e-8


def test_rounded_logarithms_are_taken_and_others_refused() -> None:
    rounded = np.log2(np.array([[0.0, 1.0], [0.0, 1.0]]) + 0.001).round(1)
    rounded[1] -= 0.1
    plain, refused = to_plain_unit(rounded, "log2(x+0.001)")
    assert plain[0, 0] == pytest.approx(0, abs=1e-4)
    assert list(refused) == [1] and "below -9.966, the logarithm of 0 as" in refused[1]


@pytest.mark.parametrize(
    "unit", ["log2(x)", "log2(x+0)", "log2(x-1)", "log3(x+1)", "log2(x+inf)", "tpm", "log2(TPM+1)"]
)
def test_other_units_are_none(unit: str) -> None:
    assert not is_unit(unit) and parse_logarithm(unit) is None and plain_unit(unit) == unit


def test_a_matrix_in_a_stated_logarithm_is_read(tmp_path: Path) -> None:
    path = tmp_path / "toil.tsv"
    tpm = pd.DataFrame({"A": [0.0, 5.0, 900.0], "B": [2.0, 5.0, 900.0]}, ["TP53", "KRT5", "ALB"])
    np.log2(tpm + 0.001).to_csv(path, sep="\t", index_label="gene")
    found = read_matrix(path, {"A": "", "B": ""}, unit="log2(x+0.001)")
    assert np.allclose(linear_scale(found.values, "log2").T, tpm, rtol=1e-5, atol=1e-6)
    (tpm * -20).to_csv(path, sep="\t", index_label="gene")
    kept = read_matrix(path, {"A": "", "B": ""}, unit="log2(x+0.001)", missing="keep")
    assert set(kept.refusals) == {"A", "B"} and "below -9.966" in kept.refusals["A"]
