"""Numbers that are no expression, units and species, told from values and ids alone."""

import re

import numpy as np
import pytest
from tissuestate.screening import (
    by_length,
    dates,
    foreign_species,
    guess_unit,
    likeness,
    unit_conflict,
)

RNG = np.random.default_rng(5)
LENGTHS = RNG.uniform(0.5, 10, 3000)
COUNTS = RNG.negative_binomial(1, 1 / (1 + 2 ** RNG.normal(6, 2, 3000))).astype(float)
FPKM = COUNTS / LENGTHS / COUNTS.sum() * 1e6
TPM = FPKM / FPKM.sum() * 1e6
EXPECTED = COUNTS + np.where(RNG.random(3000) < 0.2, RNG.random(3000), 0)


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (COUNTS, "count"),
        (EXPECTED, "count"),
        (TPM, "normalised"),
        (FPKM, "normalised"),
        (np.log2(TPM + 1), "log2"),
        (np.log2(COUNTS + 1), "log2"),
        (np.log2(TPM + 0.001), "log2"),
        ([0, 3, 12], "count"),
        ([0, 3.5, 1200.5], "normalised"),
        ([0, 3.5, 12.25], "log2"),
        ([-2.5, 40.5, 0], "log2"),
        ([np.nan, 3, 12], "count"),
        ([], "count"),
    ],
)
def test_units_look_like_what_they_are(values, unit):
    values = np.array(values, dtype=float)
    assert guess_unit(values) == unit
    assert unit_conflict(values, unit) == ""


@pytest.mark.parametrize(
    ("values", "unit", "sentence"),
    [
        (np.log(TPM + 1), "log2", r"natural logarithms.*sum is 1,000,000.*by 1\.4427"),
        (np.log(TPM / 100 + 1), "log2", r"natural logarithms.*sum is 10,000"),
        (np.log10(TPM + 1), "log2", r"decimal logarithms.*by 3\.3219"),
        ((EXPECTED - EXPECTED.mean()) / EXPECTED.std(), "log2", "centred or scaled"),
        (TPM, "log2", "too large for a logarithm"),
        (np.log2(TPM + 1), "count", "look like logarithms, not like the unit stated"),
        (np.log2(COUNTS + 1), "normalised", "state log2"),
    ],
)
def test_a_unit_that_cannot_be_is_told(values, unit, sentence):
    assert re.search(sentence, unit_conflict(values, unit))


@pytest.mark.parametrize(
    ("ids", "species"),
    [
        (["ENSMUSG00000059552.14", "ENSMUSG00000000001"], "mouse"),
        (["ENSRNOG00000010756", "ENSRNOG00000000001"], "rat"),
        (["ENSXYZG00000010756", "ENSXYZG00000000001"], "another species (ENSXYZG…)"),
        (["FBgn0039044", "FBgn0000001"], "fruit fly"),
        (["Gapdh", "Trp53", "H2-K1", "Actb", "MARCH1"], "mouse or rat"),
        (["GAPDH", "TP53", "C1orf112", "HLA-A"], ""),
        (["ENSG00000141510", "ENSG00000000003.15"], ""),
        (["7157", "1"], ""),
        (["", "?"], ""),
        ([], ""),
    ],
)
def test_other_species_show_in_their_ids(ids, species):
    assert foreign_species(ids) == species


@pytest.mark.parametrize(
    ("values", "unit", "divided"),
    [
        (TPM, "normalised", True),
        (FPKM, "normalised", True),
        (TPM, "count", True),
        (np.log2(TPM + 1), "log2", True),
        (EXPECTED, "count", False),
        (np.log2(COUNTS + 1), "log2", False),
        (np.full(3000, 1e30), "log2", False),
    ],
)
def test_values_that_may_be_divided_by_gene_length(values, unit, divided):
    assert by_length(values, unit) == divided


def test_gene_names_that_a_spreadsheet_made_dates():
    damaged = ["2-Sep", "Mar-01", "1-Dec", "2001-03-01", "2001-03-01 00:00:00"]
    assert dates(["TP53", *damaged, "SEPT2", "MARCHF1", "HLA-A", "7SK", "RP11-34-5"]) == damaged


def test_likeness_is_the_correlation_over_the_genes_present():
    average = np.log2(TPM + 1)
    sample = average + RNG.normal(size=3000)
    missing = np.where(RNG.random(3000) < 0.3, np.nan, sample)
    known = np.isfinite(missing)
    expected = np.corrcoef(sample[known], average[known])[0, 1]
    assert likeness(missing, average) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(likeness(np.full(3000, 2.0), average))
