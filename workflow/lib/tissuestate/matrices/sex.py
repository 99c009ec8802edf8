"""Expressed sex: XX or XY, by XIST and genes of chromosome Y beside their partners on X."""

from collections.abc import Sequence

import numpy as np

from tissuestate.labels import SEXES
from tissuestate.matrices.units import added_before_log

XIST = "XIST"  # silences one of two X chromosomes
# Genes of Y that every tissue of a man expresses, and their partners on X, which every sample does:
# a share of both depends on no unit, depth or length of a gene.
PARTNERS = {
    "DDX3Y": "DDX3X",
    "EIF1AY": "EIF1AX",
    "KDM5D": "KDM5C",
    "RPS4Y1": "RPS4X",
    "USP9Y": "USP9X",
    "UTY": "KDM6A",
    "ZFY": "ZFX",
}
GENES = (XIST, *PARTNERS, *PARTNERS.values())
# Limits: of 321 samples of known sex they take none for the other, and leave open 32, of which 31
# are tumours (benchmarks/expressed_sex.tsv). Tumours of men may lose Y; none was down to ABSENT_Y.
PRESENT_Y = 0.05  # share of Y in itself and its partners, from which it is expressed
ABSENT_Y = 0.002  # the same, up to which it is absent
PRESENT_XIST = 0.02  # XIST over the partners, from which an X is silent
ABUNDANT = "RPS4X"  # in some libraries so much so that XIST is little beside it
LEAST_PAIRS = 4  # expressed partners; of fewer, stray reads of one gene decide

# Tissues, by their names in the class table, that one sex alone has.
SEX_OF_TISSUE = {
    "cervix": "XX",
    "ovary": "XX",
    "prostate": "XY",
    "testis": "XY",
    "uterus": "XX",
}


def find_genes(symbols: np.ndarray) -> np.ndarray:
    """The place of each of `GENES` among symbols in ascending order, -1 if it is not there."""
    if not len(symbols):
        return np.full(len(GENES), -1)
    places = np.searchsorted(symbols, GENES).clip(max=len(symbols) - 1)
    return np.where(symbols[places] == np.array(GENES), places, -1)


def express_sex(
    values: np.ndarray, places: np.ndarray, given: np.ndarray, units: Sequence[str]
) -> np.ndarray:
    """'XX', 'XY' or '' (not known) of each sample; none depends on the others.

    values: samples × genes, each sample in its unit, NaN for what its table lacks. places: those of
    `GENES` among them (see `find_genes`). given: all values of the samples' tables, by which their
    logarithms are understood.
    """
    if (places >= 0).sum() < 2 * LEAST_PAIRS:
        return np.full(len(values), "", dtype=object)
    linear = np.where(places >= 0, values[:, places], np.nan).astype(np.float64)
    is_log = np.asarray(units, dtype=object) == "log2"
    if is_log.any():
        with np.errstate(over="ignore"):  # of counts called logarithms, which are refused
            exponentials = np.exp2(linear) - added_before_log(given)
        linear = np.where(is_log[:, None], exponentials, linear)
    linear[~np.isfinite(linear)] = np.nan
    return _decide(np.maximum(linear, 0))


def _decide(linear: np.ndarray) -> np.ndarray:
    """The sex of samples × `GENES` on the linear scale.

    XY: genes of Y are expressed, XIST is not. XX: XIST is, genes of Y are not; if the table has no
    XIST, they are absent. Neither or both are not known: a tumour of a man may lose Y, one of a
    woman the silent X, and samples may be mixtures.
    """
    y, x = linear[:, 1 : 1 + len(PARTNERS)], linear[:, 1 + len(PARTNERS) :]
    both = ~np.isnan(y) & (x > 0)
    of_y, of_x = np.where(both, y, 0).sum(axis=1), np.where(both, x, 0)
    beside = np.array([partner != ABUNDANT for partner in PARTNERS.values()])
    with np.errstate(invalid="ignore", divide="ignore"):
        share = of_y / (of_y + of_x.sum(axis=1))
        xist = linear[:, 0] / of_x[:, beside].sum(axis=1)
    has_y = share >= PRESENT_Y
    is_silent = np.where(np.isnan(xist), share <= ABSENT_Y, xist >= PRESENT_XIST)
    is_known = (both.sum(axis=1) >= LEAST_PAIRS) & (has_y != is_silent)
    return np.where(is_known, np.where(has_y, "XY", "XX"), "").astype(object)


def contradicted(expressed: str, stated: str, tissue: str) -> list[str]:
    """What an expressed sex contradicts: the 'sex' stated, the 'tissue', both or nothing."""
    if not expressed:
        return []
    claims = {"sex": SEXES.get(stated, ""), "tissue": SEX_OF_TISSUE.get(tissue.lower(), "")}
    return [name for name, sex in claims.items() if sex not in ("", expressed)]
