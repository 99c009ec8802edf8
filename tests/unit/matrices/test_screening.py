"""Numbers that are no expression, units and species, inferred from values and ids alone."""

import re

import numpy as np
import pytest
from tissuestate.matrices.screening import (
    BY_LENGTH,
    find_dates,
    find_unit_conflict,
    foreign_species,
    guess_unit,
    likeness,
    may_be_length_normalised,
    screen_expression,
    screen_transcripts,
    screen_values,
    zeros_and_below,
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
def test_units_are_guessed_from_values(values, unit):
    values = np.array(values, dtype=float)
    assert guess_unit(values) == unit
    assert find_unit_conflict(values, unit) == ""


@pytest.mark.parametrize(
    ("values", "unit", "sentence"),
    [
        (np.log(TPM + 1), "log2", r"natural logarithms.*sum is 1,000,000.*state ln\(x\+1\)"),
        (np.log(TPM / 100 + 1), "log2", r"natural logarithms.*sum is 10,000"),
        (np.log10(TPM + 1), "log2", r"decimal logarithms.*state log10\(x\+1\)"),
        ((EXPECTED - EXPECTED.mean()) / EXPECTED.std(), "log2", "centred or scaled"),
        (TPM, "log2", "too large for a logarithm"),
        (
            np.log(COUNTS + 1),
            "log2",
            r"natural logarithms \(without them they are whole.*state ln\(x",
        ),
        (np.log10(COUNTS + 1).round(5), "log2", r"decimal logarithms .*whole.*state log10\(x"),
        (np.log(COUNTS + 0.5), "log2", "natural logarithms"),
        (np.log(TPM + 0.01), "log2", r"natural logarithms.*state ln\(x\+0.01\)"),
        (np.log10(FPKM * 7 + 1), "log2", "too small for log2 of expression.* 3.3219"),
        (np.log2(TPM + 1) - np.log2(TPM + 1)[::-1], "log2", "centred or scaled"),
        (COUNTS / COUNTS.max(), "normalised", "between 0 and 1"),
        (np.log2(COUNTS + 1) / np.log2(COUNTS.max() + 1), "log2", "between 0 and 1"),
        (COUNTS.argsort().argsort() + 1.0, "count", "too even for the unit count .* ranks"),
        (1000 * np.log2(TPM + 1), "normalised", "too even"),
        (np.log2(COUNTS + 1).round(), "count", "too even .* state log2"),
        (np.log2(TPM + 1), "count", "look like logarithms, not like the unit stated"),
        (np.log2(COUNTS + 1), "normalised", "state log2"),
    ],
)
def test_an_impossible_unit_is_refused(values, unit, sentence):
    assert re.search(sentence, find_unit_conflict(values, unit))


def test_logarithms_that_look_skewed_are_told_by_their_sum():
    tpm = np.exp(np.random.default_rng(1).normal(0, 3.5, 18_000))
    values = np.log(1e4 * tpm / tpm.sum() + 1)
    assert guess_unit(values) == "log2" and guess_unit(values * 1.1) == "normalised"
    assert "state ln(x+1)" in find_unit_conflict(values, "log2")


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
def test_other_species_are_recognised_by_their_ids(ids, species):
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
def test_length_normalised_values_are_recognised(values, unit, divided):
    assert may_be_length_normalised(values, unit) == divided


def test_gene_names_turned_into_dates_are_found():
    damaged = ["2-Sep", "Mar-01", "1-Dec", "2001-03-01", "2001-03-01 00:00:00"]
    assert (
        find_dates(["TP53", *damaged, "SEPT2", "MARCHF1", "HLA-A", "7SK", "RP11-34-5"]) == damaged
    )


def test_likeness_is_the_correlation_over_the_genes_present():
    average = np.log2(TPM + 1)
    sample = average + RNG.normal(size=3000)
    missing = np.where(RNG.random(3000) < 0.3, np.nan, sample)
    known = np.isfinite(missing)
    expected = np.corrcoef(sample[known], average[known])[0, 1]
    assert likeness(missing, average) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(likeness(np.full(3000, 2.0), average))


@pytest.mark.parametrize(
    ("values", "unit", "sentences"),
    [
        (COUNTS, "count", []),
        (EXPECTED, "count", []),
        (np.log2(COUNTS + 1), "log2", []),
        (TPM, "normalised", [BY_LENGTH]),
        (FPKM, "count", [BY_LENGTH]),
        (np.log2(FPKM + 1), "log2", [BY_LENGTH]),
        (np.round(TPM * 1000), "count", [BY_LENGTH]),
        (np.maximum(np.log2(EXPECTED * 30 + 1), 6.5), "log2", ["variance stabilisation"]),
    ],
)
def test_doubtful_values_are_warned_about(values, unit, sentences):
    found = screen_values(values, unit)
    assert found.refusal == "" and len(found.warnings) == len(sentences)
    for sentence, warning in zip(sentences, found.warnings, strict=True):
        assert sentence in warning


def test_small_fpkm_are_distinguished_from_logarithms():
    """A sample whose largest FPKM is below 30 is of the unit that the others of its file are."""
    for n in (300, 3000):
        small = FPKM[:n] / FPKM[:n].max() * 25
        assert guess_unit(small) == "normalised"
        assert guess_unit(np.log2(FPKM[:n] + 1)) == "log2"


@pytest.mark.parametrize(
    ("values", "unit", "sentence"),
    [
        (np.full(3000, np.nan), "count", "all its values are missing"),
        (np.full(3000, 5.0), "count", "all genes have the same value, 5"),
        (np.zeros(3000), "count", "all genes have the same value, 0"),
        (-COUNTS - 1, "log2", "no gene has a value above zero"),
        (np.where(RNG.random(3000) < 0.9, 0, COUNTS), "count", "genes are zero, as in a single"),
    ],
)
def test_values_that_are_no_bulk_sample_are_refused(values, unit, sentence):
    assert sentence in screen_expression(values, unit).refusal
    assert screen_expression(COUNTS, "count").refusal == ""


def test_centred_values_are_refused_and_unlike_logarithms_are_not():
    """Of a tissue unlike training's, as blood: correlation 0.4 with the average."""
    average = np.log2(TPM + 1)
    other = np.log2(RNG.permutation(TPM) + 1)
    unlike = 0.4 * average + np.sqrt(1 - 0.4**2) * other
    assert likeness(unlike, average) == pytest.approx(0.4, abs=0.05)
    few_below = unlike - np.quantile(unlike[unlike > unlike.min()], 0.01)
    floored = np.log2(np.maximum(np.exp2(unlike) - np.exp2(np.quantile(unlike, 0.1)), 0) + 0.001)
    assert (few_below < 0).mean() < 0.05 < (floored < 0).mean()
    for values in (few_below, floored):
        assert screen_expression(values, "log2", average).refusal == ""
    centred = unlike - np.median(unlike)
    assert "centred" in screen_expression(centred, "log2", average).refusal
    assert "centred" in screen_expression(other - other.mean(), "log2", average).refusal
    noise = RNG.normal(3, 1, 3000)
    assert "centred" in screen_expression(noise, "log2", average).refusal  # few are below 0


def test_genes_that_are_not_expressed_are_counted_whatever_was_added():
    zero = (COUNTS == 0).mean()
    for added in (1, 0.5, 0.001):
        zeros, below = zeros_and_below(np.log2(COUNTS + added))
        assert zeros == pytest.approx(zero) and (below > 0) == (added < 1)
    warning = screen_expression(np.log2(TPM + 0.001), "log2").warnings[0]
    assert "read as log2(value + 0.001)" in warning
    sparse = np.log2(np.where(RNG.random(3000) < 0.9, 0, COUNTS) + 0.001)
    assert "genes are zero" in screen_expression(sparse, "log2").refusal


def test_transcripts_without_a_gene_are_reported_with_their_share_of_reads():
    transcripts = np.arange(3000) < 2000
    known = np.arange(3000) >= 500
    values = np.where(np.arange(3000) < 500, 3.0, 1.0)
    assert screen_transcripts(values, "count", transcripts, transcripts) == screen_transcripts(
        values, "count", ~known & False, known
    )
    few = screen_transcripts(values / np.where(known, 1, 9), "count", transcripts, known)
    assert few.refusal == ""
    assert "500 of its 2,000 transcripts, with 10% of the reads" in few.warnings[0]
    most = screen_transcripts(values * np.where(known, 1, 9), "count", transcripts, known)
    assert "with 90% of the reads, cannot be placed on a gene" in most.refusal
