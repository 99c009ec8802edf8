"""mRIN of a cohort: the original code's outputs, frozen reference, degenerate cohorts, files."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from tissuestate.arrays import load_arrays, save_arrays
from tissuestate.checksums import file_checksum
from tissuestate.errors import InputError
from tissuestate.integrity.mrin import (
    MRIN,
    abundant_deviations,
    score_cohort,
    score_samples,
    truncated_normal,
)
from tissuestate.integrity.profiles import Profile, save_profile
from tissuestate.refusals import write_refusal


@pytest.fixture(scope="session")
def original(data):
    """The original code's matrix (samples × transcripts), mRIN table and GIS table."""
    matrix = pd.read_csv(data / "mrin" / "KS.mat.txt", sep="\t", index_col=0)
    mrin = pd.read_csv(data / "mrin" / "out.mRIN.txt", sep="\t")
    gis = pd.read_csv(data / "mrin" / "out.GIS.txt", sep="\t")
    return matrix.index.tolist(), np.ascontiguousarray(matrix.T.to_numpy()), mrin, gis


def cohort(samples=40, transcripts=300, seed=0):
    """Deviations of a simulated cohort, a tenth of it degraded, a fifth of the cells missing."""
    rng = np.random.default_rng(seed)
    lean = np.where(np.arange(samples) % 10 == 9, 0.3, 0)[:, None]
    matrix = rng.normal(0.05, 0.1, transcripts) + rng.normal(lean, 0.05, (samples, transcripts))
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    matrix[:, 7] = np.nan
    return [f"t{i}" for i in range(transcripts)], matrix


def test_mrin_z_p_and_gis_equal_the_original_code(original):
    names, matrix, theirs, their_gis = original
    model = MRIN(names).fit(matrix)
    ours = model.score(matrix)
    worst = {
        "mrin": np.abs(ours["mrin"] - theirs["mRIN"]).max(),
        "z": np.abs(ours["z"] - theirs["Zcore"]).max(),
        "p": np.abs(ours["p"] - theirs["Pvalue"]).max(),
    }
    gis = model.gis(matrix)
    worst["gis"] = np.nanmax(np.abs(gis["gis"] - their_gis["GIS"]))
    print("largest difference:", {name: f"{value:.1e}" for name, value in worst.items()})
    assert worst["mrin"] < 1e-9
    assert worst["gis"] < 1e-9
    assert worst["z"] < 1e-2
    assert (ours["p"].rank() == theirs["Pvalue"].rank()).all()
    assert (gis["gis"].isna() == their_gis["GIS"].isna()).all()
    assert (gis["samples"] == (~np.isnan(matrix)).sum(axis=0)).all()


def test_only_transcripts_above_two_reads_per_base_count():
    profile = Profile(np.array([0.1, 0.2, 0.3]), np.array([2.0, 2.0001, 0]), np.ones(100), 9)
    np.testing.assert_array_equal(abundant_deviations(profile), [np.nan, 0.2, np.nan])


def test_truncated_normal_is_close_to_that_of_the_original_code():
    """Truth: the published procedure, with its 10⁶ draws."""
    rng = np.random.default_rng(5)
    x = np.where(rng.random(300) < 0.1, -rng.exponential(0.1, 300), rng.normal(0.01, 0.02, 300))
    alpha, mu, sigma = truncated_normal(x)
    draws = np.sort(np.random.default_rng(1).standard_normal(1_000_000))
    distances = {}
    for candidate in -0.05 + 0.0005 * np.arange(int((x.max() + 0.05) / 0.0005) + 1):
        above = np.sort(x[x > candidate])
        if len(above) < 2:
            continue
        tail, density = 1 - norm.cdf(candidate), norm.pdf(candidate)
        spread = np.sqrt(
            above.var(ddof=1) / (1 + candidate * density / tail - density**2 / tail**2)
        )
        centre = above.mean() - density * spread / tail
        top = centre + spread * draws[len(draws) - int(1e6 * len(above) / len(x)) :]
        theirs = np.searchsorted(top, above) / len(top)
        ours = np.arange(len(above) + 1) / len(above)  # before and after each step
        distance = max(np.abs(ours[1:] - theirs).max(), np.abs(ours[:-1] - theirs).max())
        distances[candidate] = (distance, centre, spread)
    best = min(distances, key=lambda a: distances[a][0])
    nearest = min(distances, key=lambda a: abs(a - alpha))
    assert distances[nearest][0] - distances[best][0] < 2e-3  # the noise of the draws
    assert (mu, sigma) == pytest.approx(distances[nearest][1:], abs=1e-12)


def test_degraded_samples_have_low_mrin_and_p():
    names, matrix = cohort()
    scores = MRIN(names).fit(matrix).score(matrix)
    degraded = np.arange(40) % 10 == 9
    assert scores["mrin"][degraded].max() < -0.2 < -0.05 < scores["mrin"][~degraded].min()
    assert scores["p"][degraded].max() < 1e-3


def test_median_and_mrin_are_those_of_numpy():
    names, matrix = cohort(31, 700, seed=1)
    model = MRIN(names).fit(matrix)
    with pytest.warns(RuntimeWarning):  # numpy's, for the column that is missing throughout
        median = np.nanmedian(matrix, axis=0)
    np.testing.assert_array_equal(model.median_, median)
    np.testing.assert_allclose(
        model.score(matrix)["mrin"], -np.nanmean(matrix - median, axis=1), rtol=1e-12
    )


def test_one_sample_alone_has_exactly_the_score_it_has_among_many():
    names, matrix = cohort(200)
    model = MRIN(names).fit(matrix[:150])
    together = model.score(matrix)
    for row in (3, 149, 150, 199):
        alone = model.score(matrix[row : row + 1])
        assert alone.iloc[0].to_numpy().tobytes() == together.iloc[row].to_numpy().tobytes()
    np.testing.assert_array_equal(model.mrin_, together["mrin"][:150])


def test_saving_and_loading_changes_nothing(tmp_path):
    names, matrix = cohort()
    model = MRIN(names, "abc").fit(matrix)
    save_arrays(tmp_path / "reference.npz", model.to_arrays())
    again = MRIN.from_arrays(load_arrays(tmp_path / "reference.npz"))
    assert (again.transcripts, again.bed) == (names, "abc")
    pd.testing.assert_frame_equal(again.score(matrix), model.score(matrix))


@pytest.mark.filterwarnings("error")
def test_degenerate_cohorts_have_no_z_but_an_mrin(caplog):
    names, matrix = cohort()
    one = MRIN(names).fit(matrix[:1]).score(matrix[:1])
    assert one["mrin"].tolist() == [0.0]
    assert one[["z", "p"]].isna().all(axis=None)
    assert "do not suffice" in caplog.text

    same = np.tile(matrix[0], (5, 1))
    constant = MRIN(names).fit(same)
    assert constant.score(same)["mrin"].tolist() == [0.0] * 5
    assert np.isnan(constant.sigma_)
    assert constant.gis(same)["gis"].isna().all()

    low = MRIN(names).fit(matrix[:10])
    low.median_ = low.median_ - 1  # every sample far below every alpha
    assert np.isnan(truncated_normal(low.score(matrix)["mrin"].to_numpy())).all()
    assert np.isnan(truncated_normal(np.array([0.3, -2.0, np.nan]))).all()
    assert np.isnan(truncated_normal(np.array([]))).all()


@pytest.mark.filterwarnings("error")
def test_a_sample_without_coverage_is_nan_and_changes_no_other():
    names, matrix = cohort()
    empty = np.full((1, matrix.shape[1]), np.nan)
    model = MRIN(names).fit(np.vstack([matrix, empty]))
    alone = MRIN(names).fit(matrix)
    np.testing.assert_array_equal(model.median_, alone.median_)
    assert (model.alpha_, model.mu_, model.sigma_) == (alone.alpha_, alone.mu_, alone.sigma_)
    last = model.score(np.vstack([matrix, empty])).iloc[-1]
    assert last[["mrin", "z", "p"]].isna().all()
    assert last["transcripts"] == 0
    pd.testing.assert_frame_equal(model.gis(np.vstack([matrix, empty])), alone.gis(matrix))
    nothing = MRIN(names).fit(empty)
    assert nothing.score(matrix)["transcripts"].sum() == 0


def test_gis_is_pearsons_correlation():
    names, matrix = cohort(25, 40, seed=2)
    model = MRIN(names).fit(matrix)
    mrin = model.score(matrix)["mrin"].to_numpy()
    for column, row in model.gis(matrix).iterrows():
        present = ~np.isnan(matrix[:, column])
        if not present.any():
            assert np.isnan(row["gis"])
            continue
        expected = np.corrcoef(matrix[present, column], mrin[present])[0, 1]
        assert row["gis"] == pytest.approx(expected, abs=1e-12)


@pytest.fixture
def files(tmp_path):
    """Profiles of twelve samples, one without coverage, and their BED file."""
    names, matrix = cohort(12, 30)
    bed = tmp_path / "t.bed"
    bed.write_text(
        "".join(
            f"chr1\t{i}\t{i + 1}\t{name}\t0\t+\t0\t0\t0\t1\t1\t0\n" for i, name in enumerate(names)
        )
    )
    profiles = {}
    for number, row in enumerate(matrix):
        sample = f"s{11 - number}.x"
        usable = np.zeros(30) if number == 4 else np.where(np.isnan(row), 0, 9)
        curve = np.full(100, np.nan) if number == 4 else np.linspace(0.5, 1.5, 100)
        profile = Profile(np.nan_to_num(row), usable, curve, number)
        profiles[sample] = tmp_path / f"{sample}.npz"
        save_profile(profiles[sample], profile, file_checksum(bed))
    return bed, profiles, matrix


def test_a_cohort_is_scored_against_its_reference_samples(files):
    bed, profiles, matrix = files
    matrix[4] = np.nan
    reference = set(list(profiles)[1::2])
    result = score_cohort(profiles, bed, reference | {"elsewhere"})
    model = MRIN(result.model.transcripts, file_checksum(bed)).fit(matrix[1::2])
    expected = model.score(matrix)
    assert result.mrin["sample"].tolist() == list(profiles)
    pd.testing.assert_frame_equal(result.mrin.drop(columns="sample"), expected)
    assert result.coverage.index.tolist() == list(profiles)
    assert result.coverage.shape == (12, 100)
    assert result.coverage.loc["s7.x"].isna().all()
    pd.testing.assert_frame_equal(result.gis, model.gis(matrix))


def test_new_samples_are_scored_alone_against_a_saved_cohort(files):
    bed, profiles, _ = files
    result = score_cohort(profiles, bed, set(profiles))
    model = MRIN.from_arrays(result.model.to_arrays())
    sample = list(profiles)[9]
    alone = score_samples({sample: profiles[sample]}, bed, model)
    pd.testing.assert_frame_equal(alone, result.mrin.iloc[[9]].reset_index(drop=True))


def test_a_sample_that_was_refused_has_no_row(files, tmp_path):
    bed, profiles, _ = files
    result = score_cohort(profiles, bed, set(profiles))
    refused = tmp_path / "refused.npz"
    write_refusal(refused, "its reads are\nno reads")
    sample = list(profiles)[3]
    scores = score_samples({"bad": refused, sample: profiles[sample]}, bed, result.model)
    pd.testing.assert_frame_equal(scores, result.mrin.iloc[[3]].reset_index(drop=True))
    assert score_samples({"bad": refused}, bed, result.model).empty


def test_missing_reference_and_other_transcripts_are_refused(files, tmp_path):
    bed, profiles, _ = files
    with pytest.raises(InputError, match="none of the 12 samples with reads is a training sample"):
        score_cohort(profiles, bed, {"elsewhere"})
    other = tmp_path / "other.bed"
    other.write_text("chr1\t0\t1\telse\t0\t+\t0\t0\t0\t1\t1\t0\n")
    with pytest.raises(InputError, match="made with other transcripts"):
        score_cohort(profiles, other, set(profiles))
    model = score_cohort(profiles, bed, set(profiles)).model
    with pytest.raises(InputError, match=r"other\.bed: its transcript 'else' is none"):
        score_samples({}, other, model)


@pytest.mark.parametrize("least", [3, 12])
def test_a_part_of_the_transcripts_is_scored_unless_too_few_are_covered(
    files, tmp_path, monkeypatch, least
):
    """Every other transcript, as a reference of another build may share."""
    bed, profiles, matrix = files
    model = score_cohort(profiles, bed, set(profiles)).model
    part = tmp_path / "part.bed"
    part.write_text("".join(bed.read_text().splitlines(keepends=True)[::2]))
    number = 6
    sample, row = list(profiles)[number], matrix[number][::2]
    profile = Profile(np.nan_to_num(row), np.where(np.isnan(row), 0, 9), np.ones(100), 1)
    save_profile(tmp_path / "p.npz", profile, file_checksum(part))
    monkeypatch.setattr("tissuestate.integrity.mrin.LEAST_SHARED", least)
    scores = score_samples({sample: tmp_path / "p.npz"}, part, model)
    shifted = row - model.median_[::2]
    used = int((~np.isnan(shifted)).sum())
    assert scores["transcripts"].tolist() == [used]
    if used < least:
        assert scores[["mrin", "z", "p"]].isna().all(axis=None)
    else:
        assert scores["mrin"].tolist() == pytest.approx([-np.nanmean(shifted)], abs=1e-12)


def test_no_shared_transcript_is_no_fault(files, tmp_path):
    bed, profiles, _ = files
    model = score_cohort(profiles, bed, set(profiles)).model
    none = tmp_path / "none.bed"
    none.touch()
    profile = Profile(np.empty(0), np.empty(0), np.full(100, np.nan), 5)
    save_profile(tmp_path / "p.npz", profile, file_checksum(none))
    scores = score_samples({"s": tmp_path / "p.npz"}, none, model)
    assert scores["mrin"].isna().all() and scores["transcripts"].tolist() == [0]
