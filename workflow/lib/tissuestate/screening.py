"""Whether a sample's numbers are gene expression at all, in which unit, and of which species."""

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np

LARGEST_LOG = 30.0  # 2³⁰ reads of one gene
FEW = 1000  # values below which sums and shares tell nothing
TOTALS = (1e6, 1e4)  # what TPM and CPM add up to; what single-cell tools scale to
NEAR_TOTAL = 0.001
# Shares of zeros that are warned about and refused: bulk samples of GTEx and TCGA have .09 to .21
# of 18,000 genes, the same at 100,000 reads .47, at a single cell's 5,000 .87.
MANY_ZEROS, MOST_ZEROS = 0.4, 0.85
# Least correlation with the average training sample: bulk samples of GTEx and TCGA have .86 to .96,
# the same centred or scaled over samples -.07 to .26.
LEAST_LIKENESS = 0.5
# Share of logarithms below 0 that is warned about: those of a value + 1 have none, a batch
# correction leaves some.
MANY_BELOW = 0.01
FEW_ROWS = 100  # below which ids that count 1, 2, 3 may be genes
SCALED = "its values look centred or scaled; give values that were not."
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


def guess_unit(values: np.ndarray) -> str:
    """The unit (count, normalised or log2) that one sample's values look like.

    Whole numbers are counts; negative values, or none above 30, logarithms. Of other values those
    that add up to a round total (TPM, CPM) are normalised; if most are whole, they are expected
    counts.
    """
    known = values[np.isfinite(values)]
    if not len(known) or (known.min() >= 0 and (known == np.round(known)).all()):
        return "count"
    if known.min() < 0 or known.max() <= LARGEST_LOG:
        return "log2"
    if any(_near(float(known.sum(dtype=np.float64)), total) for total in TOTALS):
        return "normalised"
    expressed = known[known > 0]
    return "count" if (expressed == np.round(expressed)).mean() > 0.5 else "normalised"


def unit_conflict(values: np.ndarray, unit: str) -> str:
    """Why one sample's values cannot be of the unit stated or told ('' = they can).

    A sentence that ends the sample's way: logarithms of another base, numbers too large for
    logarithms, logarithms given as counts.
    """
    known = values[np.isfinite(values)]
    if not len(known) or known.max() <= 0:
        return ""
    if unit == "log2":
        if known.max() > 2 * LARGEST_LOG:
            return (
                f"its largest value, {known.max():g}, is too large for a logarithm; state the unit "
                "of the values (count or normalised)."
            )
        if len(known) < FEW:
            return ""
        if known.min() < 0:
            mean, deviation = known.mean(dtype=np.float64), known.std(dtype=np.float64)
            scaled = abs(mean) < NEAR_TOTAL and _near(deviation, 1.0)
            return SCALED if scaled else ""
        for base, name in ((2.0, ""), (np.e, "natural"), (10.0, "decimal")):
            total = float((np.power(base, known.astype(np.float64)) - 1).sum())
            if any(_near(total, round_total) for round_total in TOTALS):
                return name and (
                    f"its values look like {name} logarithms (without them the sum is "
                    f"{total:,.0f}); multiply them by {np.log2(base):.4f} to make them log2."
                )
    elif known.max() <= LARGEST_LOG and len(known) >= FEW and _fractions(known) > 0.5:
        return (
            f"no value is above {known.max():.3g} and most are no whole numbers, so they look like "
            f"logarithms, not like the unit stated ({unit}); state log2."
        )
    return ""


def by_length(values: np.ndarray, unit: str) -> bool:
    """Whether one sample's values may be divided by gene length, as TPM, FPKM and RPKM are.

    So may all normalised ones, and others that add up to a million and are no whole numbers.
    """
    if unit == "normalised":
        return True
    known = values[np.isfinite(values)].astype(np.float64)
    with np.errstate(over="ignore"):
        linear = np.exp2(known) - 1 if unit == "log2" else known
    return _near(float(linear.sum()), TOTALS[0]) and _fractions(linear) > 0.5


def foreign_species(ids: Iterable[str]) -> str:
    """The species whose gene ids these are, as far as it shows and is not human ('' = it is not).

    Told by the prefixes of Ensembl, FlyBase and WormBase, and by the spelling of mouse and rat
    symbols (Gapdh for GAPDH).
    """
    names = [name for name in ids if name]
    prefixes = Counter(found[1] for name in names if (found := _PREFIX.match(name)))
    for prefix, count in prefixes.most_common(1):
        if count > len(names) / 2:
            return SPECIES.get(prefix, f"another species ({prefix}…)")
    rodent = sum(_RODENT.fullmatch(name) is not None for name in names)
    return "mouse or rat" if rodent > len(names) / 2 else ""


def dates(ids: Iterable[str]) -> list[str]:
    """The ids that spreadsheets have made dates: 2-Sep of SEPT2, 2001-03-01 of MARCH1."""
    return [name for name in ids if _DATE.fullmatch(name)]


def number_rows(ids: np.ndarray) -> bool:
    """Whether the ids are the numbers of their rows (0, 1, 2, … or 1, 2, 3, …), not of genes."""
    if len(ids) < FEW_ROWS or ids[0] not in ("0", "1"):
        return False
    start = int(ids[0])
    return ids.tolist() == [str(number) for number in range(start, start + len(ids))]


def likeness(values: np.ndarray, average: np.ndarray) -> float:
    """Pearson correlation of one sample's logarithms with the average training sample's.

    Genes that are missing (NaN) are left out; NaN where one of the two does not vary.
    """
    known = np.isfinite(values)
    x, y = (row[known] - row[known].mean(dtype=np.float64) for row in (values, average))
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0 else float("nan")


def _fractions(values: np.ndarray) -> float:
    """The share of the expressed values that are no whole numbers."""
    expressed = values[values > 0]
    return float((expressed != np.round(expressed)).mean()) if len(expressed) else 0.0


def _near(value: float, total: float) -> bool:
    return abs(value - total) <= NEAR_TOTAL * total
