"""Screening of a sample's values: whether they are gene expression, their unit, the species.

Training and classification screen each sample by itself: `screen_values` its values as the file
has them, `screen_expression` those of the genes in use.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tissuestate.matrices.units import linear_scale
from tissuestate.remarks import Doubt, Note

LARGEST_LOG = 30.0  # 2³⁰ reads of one gene
FEW = 1000  # number of values below which sums and shares show nothing
TOTALS = (1e6, 1e4)  # what TPM and CPM add up to; what single-cell tools scale to
NEAR_TOTAL = 0.001
# Shares of zeros that are warned about and refused: bulk samples of GTEx and TCGA have .09 to .21
# of 18,000 genes, the same at 100,000 reads .47, at a single cell's 5,000 .87.
MANY_ZEROS, MOST_ZEROS = 0.4, 0.85
# Least correlation with the average training sample, if logarithms are below 0. Samples
# of 35 sets have .50 to .88, but blood .32 to .42 and an old gene model .37 to .63; the same sets,
# centred over samples, -.48 to .34. If fewer than FEW_BELOW are below 0, or FLOOR are the lowest,
# as logarithms of zeros are, they are hardly centred (of those that were: at most .25).
LEAST_LIKENESS, LEAST_OF_BLOOD = 0.5, 0.3
FEW_BELOW = 0.05
MANY_BELOW = 0.01  # share of logarithms below 0 that is warned about
SEVERAL = 200  # number of values below which their distribution shows nothing
# How even values are: the mean of those above 0 as a share of the largest. Real samples have .0001
# to .015 (.15 of 300 genes) on the linear scale and .12 to .54 as logarithms, ranks .5.
EVEN, EVEN_FEW = 0.25, 0.15
TAIL = 0.3  # the 99th percentile as a share of the largest: linear below .1, logarithms above .45
LEAST_TOTAL = 2e6  # reads of a library; FPKM and TPM add up to less
LEAST_LOG = 7.5  # largest log2 value of any sample: 11 to 23
# Centred values: below 0 as often as above, without the many equal lowest ones that zeros leave.
CENTRED, FLOOR = 0.25, 0.01
UNPLACED, MOST_UNPLACED = 0.01, 0.5  # share of reads on unknown transcripts: warned, refused
FEW_ROWS = 100  # below which ids that count 1, 2, 3 may be genes
# Reasons to doubt a call
SHALLOW, TRANSFORMED, UNKNOWN_ROWS = "few reads", "transformed values", "unknown transcripts"
SCALED = "its values look centred or scaled; give values that were not."
BY_LENGTH = Note(
    "The values may be divided by gene length, as TPM, FPKM and RPKM are; give counts if "
    "you have them."
)
SPECIES = {
    "ENSMUSG": "mouse",
    "ENSRNOG": "rat",
    "ENSDARG": "zebrafish",
    "ENSSSCG": "pig",
    "ENSBTAG": "cattle",
    "ENSCAFG": "dog",
    "ENSGALG": "chicken",
    "ENSMMUG": "macaque",
    "FBgn": "fruit fly",
    "WBGene": "roundworm",
}
_PREFIX = re.compile(r"(ENS[A-Z]{3,4}G|FBgn|WBGene)\d")
_DATE = re.compile(r"\d{1,2}-(Mar|Sep|Dec)|(Mar|Sep|Dec)-\d{1,2}|\d{4}-\d\d-\d\d( 00:00:00)?")
_RODENT = re.compile(r"[A-Z][a-z]+[a-z0-9]*(-[a-z0-9]+)?")


@dataclass(frozen=True)
class Screened:
    """The sentence that refuses a sample ('' = it can be used), and warnings about it."""

    refusal: str = ""
    warnings: tuple[str, ...] = ()


def screen_values(values: np.ndarray, unit: str) -> Screened:
    """Screen one sample's values, of all rows of its file, in the unit stated or guessed."""
    refused = find_unit_conflict(values, unit)
    if refused:
        return Screened(refused)
    warnings: list[str] = [BY_LENGTH] if may_be_length_normalised(values, unit) else []
    known = values[np.isfinite(values)]
    if unit == "log2" and len(known) >= FEW and known.min() >= 1:
        share = float((known == known.min()).mean())
        if share >= 2 * FLOOR:
            sentence = (
                f"The smallest value, {known.min():.3g}, is that of {share:.0%} of the genes, as "
                "after variance stabilisation (VST), where log2(value + 1) has 0; give counts."
            )
            warnings.append(Doubt(TRANSFORMED, sentence))
    return Screened("", tuple(warnings))


def screen_expression(values: np.ndarray, unit: str, average: np.ndarray | None = None) -> Screened:
    """Screen one sample's values of the genes in use (NaN = missing).

    `average` is that of training samples, if known: values that correlate with it are no noise.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Screened("all its values are missing; check the file.")
    least, most = known.min(), known.max()
    if most == least and len(values) > 1:
        return Screened(f"all genes have the same value, {most:g}; check the file.")
    if most <= 0:
        return Screened("no gene has a value above zero; check the file and its unit.")
    zeros, below = zeros_and_below(values)
    if least < 0 and average is not None:
        is_log = below < FEW_BELOW or (known == least).mean() >= FLOOR
        if not likeness(values, average) >= (LEAST_OF_BLOOD if is_log else LEAST_LIKENESS):
            return Screened(SCALED)
    if zeros >= MOST_ZEROS:
        return Screened(
            f"{zeros:.0%} of the genes are zero, as in a single cell or a library that failed; "
            "bulk tissue is expected (add up the cells of a sample)."
        )
    warnings: list[str] = []
    if zeros >= MANY_ZEROS:
        sentence = (
            f"{zeros:.0%} of the genes are zero, as in shallow or single-cell libraries; bulk "
            "tissue is expected."
        )
        warnings.append(Doubt(SHALLOW, sentence))
    if below >= MANY_BELOW and unit == "log2":
        sentence = (
            f"{below:.0%} of the logarithms are below 0, which those of a value + 1 cannot be; all "
            f"were read as log2(value + {2.0**least:.3g}), so that the smallest value is 0. Give "
            "log2(value + 1), or the values themselves."
        )
        warnings.append(Note(sentence))
    return Screened("", tuple(warnings))


def screen_transcripts(
    values: np.ndarray, unit: str, transcripts: np.ndarray, known: np.ndarray
) -> Screened:
    """Screen one sample whose rows are transcripts or known as two masks say."""
    lost = transcripts & ~known
    if not lost.any():
        return Screened()
    linear = np.nan_to_num(linear_scale(values, unit)[transcripts])
    total = float(linear.sum())
    share = float(linear[lost[transcripts]].sum()) / total if total > 0 else 1.0
    sentence = (
        f"{lost.sum():,} of its {transcripts.sum():,} transcripts, with {share:.0%} of the reads, "
        "cannot be placed on a gene, whose own values are then too low; name a table of "
        "transcripts and their genes, or their annotation (GTF), as tx2gene, or give a file of "
        "genes."
    )
    if share > MOST_UNPLACED:
        return Screened(sentence)
    return Screened("", (Doubt(UNKNOWN_ROWS, sentence),) if share >= UNPLACED else ())


def zeros_and_below(values: np.ndarray) -> tuple[float, float]:
    """The shares of one sample's values that are not expressed, and that are below 0.

    The smallest logarithm is of a gene not expressed, if it is below 0: see `linear_scale`.
    """
    known = values[np.isfinite(values)]
    found = max(len(known), 1)
    zero = min(known.min(initial=0), 0)
    return float((known <= zero).sum() / found), float((known < 0).sum() / found)


def guess_unit(values: np.ndarray) -> str:
    """The unit (count, normalised or log2) that one sample's values look like.

    Whole numbers are counts; negative values are logarithms, and so are others of which none is
    above 30, if they are as even as logarithms, or add up to a round total without one. Of other
    values those that add up to a round total (TPM, CPM) are normalised; if most are whole, they are
    expected counts.
    """
    known = values[np.isfinite(values)]
    if not len(known) or (known.min() >= 0 and (known == np.round(known)).all()):
        return "count"
    if known.min() < 0:
        return "log2"
    if known.max() <= LARGEST_LOG and (not _is_skewed(known) or _find_log_base(known)[0]):
        return "log2"
    if any(_is_near(float(known.sum(dtype=np.float64)), total) for total in TOTALS):
        return "normalised"
    expressed = known[known > 0]
    return "count" if (expressed == np.round(expressed)).mean() > 0.5 else "normalised"


def find_unit_conflict(values: np.ndarray, unit: str) -> str:
    """Why one sample's values cannot be of the unit stated or guessed ('' = they can).

    A sentence, with which the sample is refused: logarithms of another base, numbers too large for
    logarithms, logarithms given as counts, ranks, values scaled to the range of 0 to 1.
    """
    known = values[np.isfinite(values)].astype(np.float64)
    if not len(known) or known.max() <= 0 or known.max() == known.min():
        return ""
    if len(known) >= SEVERAL and 0 <= known.min() < known.max() <= 1:
        return (
            "its values lie between 0 and 1, as scaled ones do; give values that were not scaled."
        )
    if unit == "log2":
        return _find_log_conflict(known)
    if len(known) >= FEW and known.max() <= LARGEST_LOG and _share_of_fractions(known) > 0.5:
        if not _is_skewed(known):
            return (
                f"no value is above {known.max():.3g} and most are no whole numbers, so they look "
                f"like logarithms, not like the unit stated ({unit}); state log2."
            )
    elif len(known) >= SEVERAL and _evenness(known) > EVEN and (known > 0).mean() > 1 - MOST_ZEROS:
        return (
            f"its values are too even for the unit {unit} (the average is {_evenness(known):.0%} "
            "of the largest), as those of ranks and logarithms are; give counts or what was "
            "measured, or state log2."
        )
    return ""


def _find_log_conflict(known: np.ndarray) -> str:
    """`find_unit_conflict` of values given as log2."""
    if known.max() > 2 * LARGEST_LOG:
        return (
            f"its largest value, {known.max():g}, is too large for a logarithm; state the unit of "
            "the values (count or normalised)."
        )
    if len(known) < SEVERAL:
        return ""
    base, added, why = _find_log_base(known)
    if base == 2:
        return ""
    if base:
        name, unit = ("natural", "ln") if base == np.e else ("decimal", "log10")
        unit = f"{unit}(x+{added:.3g})"
        return f"its values look like {name} logarithms ({why}); state {unit} as their unit."
    mean, deviation = known.mean(), known.std()
    if len(known) >= FEW and abs(mean) < NEAR_TOTAL and _is_near(deviation, 1.0):
        return SCALED
    centred = abs(mean) < CENTRED * deviation and (known < 0).mean() > CENTRED
    if centred and (known == known.min()).mean() < FLOOR:
        return SCALED
    if len(known) >= FEW and known.max() < LEAST_LOG and known.min() >= 0:
        return (
            f"its largest value, {known.max():.3g}, is too small for log2 of expression, as those "
            "of decimal logarithms are (multiply them by 3.3219) and of scaled values."
        )
    return ""


def _find_log_base(known: np.ndarray) -> tuple[float, float, str]:
    """The base that logarithms show, what was added, and the evidence; a base of 0 if none.

    The values without them add up to a round total, or are whole numbers, as counts are. Of values
    below 0 the lowest is read as the logarithm of what was added.
    """
    for base in (2.0, float(np.e), 10.0):
        added = min(1.0, base ** float(known.min()))
        linear = np.power(base, known) - added
        if len(known) >= FEW:
            total = float(linear.sum())
            if any(_is_near(total, one) for one in TOTALS):
                return base, added, f"without them the sum is {total:,.0f}"
        small = np.unique(linear[(linear > 0.1) & (linear < 20.1)])
        if len(small) >= 10 and (np.abs(small - np.round(small)) < 0.03).mean() > 0.95:
            return base, added, "without them they are whole numbers"
    return 0.0, 0.0, ""


def may_be_length_normalised(values: np.ndarray, unit: str) -> bool:
    """Whether one sample's values may be divided by gene length, as TPM, FPKM and RPKM are.

    So may all normalised ones, and others that add up to a million, or to less than the reads of
    a library, and are no whole numbers; also TPM that were multiplied and rounded.
    """
    if unit == "normalised":
        return True
    known = values[np.isfinite(values)].astype(np.float64)
    with np.errstate(over="ignore"):
        linear = linear_scale(known, unit)
    total, fractions = float(linear.sum()), _share_of_fractions(linear) > 0.5
    if not fractions:
        rounded = len(known) >= SEVERAL and unit == "count" and _share_of_fractions(linear) == 0
        return rounded and any(_is_near(total, one) and total != one for one in (1e6, 1e9))
    if _is_near(total, TOTALS[0]):
        return True
    near = np.abs(linear - np.round(linear)) <= NEAR_TOTAL * np.maximum(linear, 1)
    many = len(known) >= (FEW if unit == "log2" else SEVERAL)
    return many and total < LEAST_TOTAL and bool((~near[linear > 0]).mean() > 0.5)


def foreign_species(ids: Iterable[str]) -> str:
    """The species that gene ids show, if it is not human; '' if human or unknown.

    Recognised by the prefixes of Ensembl, FlyBase and WormBase, and by the spelling of mouse and
    rat symbols (Gapdh for GAPDH).
    """
    names = [name for name in ids if name]
    prefixes = Counter(found[1] for name in names if (found := _PREFIX.match(name)))
    for prefix, count in prefixes.most_common(1):
        if count > len(names) / 2:
            return SPECIES.get(prefix, f"another species ({prefix}…)")
    rodent = sum(_RODENT.fullmatch(name) is not None for name in names)
    return "mouse or rat" if rodent > len(names) / 2 else ""


def find_dates(ids: Iterable[str]) -> list[str]:
    """The ids that spreadsheets have turned into dates: 2-Sep of SEPT2, 2001-03-01 of MARCH1."""
    return [name for name in ids if _DATE.fullmatch(name)]


def are_row_positions(ids: np.ndarray) -> bool:
    """Whether the ids are the numbers of their rows (0, 1, 2, … or 1, 2, 3, …), not of genes."""
    if len(ids) < FEW_ROWS or ids[0] not in ("0", "1"):
        return False
    start = int(ids[0])
    return ids.tolist() == [str(number) for number in range(start, start + len(ids))]


def likeness(values: np.ndarray, average: np.ndarray) -> float:
    """Pearson correlation of one sample's logarithms with the average training sample's.

    Genes that are missing (NaN) are left out; NaN if one of the two does not vary.
    """
    known = np.isfinite(values)
    x, y = (row[known] - row[known].mean(dtype=np.float64) for row in (values, average))
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0 else float("nan")


def _evenness(values: np.ndarray) -> float:
    """The mean of the values above 0 as a share of the largest."""
    return float(values[values > 0].mean(dtype=np.float64) / values.max())


def _is_skewed(values: np.ndarray) -> bool:
    """Whether few values are far above all others, as on the linear scale."""
    if len(values) >= FEW:
        return float(np.quantile(values, 0.99)) < TAIL * float(values.max())
    return len(values) >= SEVERAL and _evenness(values) < EVEN_FEW


def _share_of_fractions(values: np.ndarray) -> float:
    """The share of the expressed values that are no whole numbers."""
    expressed = values[values > 0]
    return float((expressed != np.round(expressed)).mean()) if len(expressed) else 0.0


def _is_near(value: float, total: float) -> bool:
    return abs(value - total) <= NEAR_TOTAL * total
