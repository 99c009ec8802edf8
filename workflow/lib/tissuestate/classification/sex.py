"""Warnings, in sentences, about samples whose expressed sex contradicts the sheet or the call."""

from tissuestate.matrices.sex import contradicted
from tissuestate.remarks import Doubt

EXPRESSED = {
    "XX": "genes of chromosome Y are not expressed (XX)",
    "XY": "genes of chromosome Y are expressed (XY)",
}


def warn_of_sheet(expressed: str, stated: str) -> list[str]:
    """A warning if the sheet states another sex than is expressed."""
    if "sex" not in contradicted(expressed, stated, ""):
        return []
    sentence = f"The sheet says {stated}, but {EXPRESSED[expressed]}: samples may be swapped."
    return [Doubt("another sex than stated", sentence)]


def warn_of_tissue(expressed: str, tissue: str) -> list[str]:
    """A warning if the tissue that is called is none of the sex that is expressed."""
    if "tissue" not in contradicted(expressed, "", tissue):
        return []
    sentence = (
        f"The tissue is called {tissue}, but {EXPRESSED[expressed]}: samples may be swapped, or "
        "the call is wrong."
    )
    return [Doubt("tissue of another sex", sentence)]
