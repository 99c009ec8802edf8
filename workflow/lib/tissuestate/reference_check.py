"""Whether the reference fits what is asked of it, said before hours are spent on it."""

from pathlib import Path

from tissuestate.bundle import read_bundle
from tissuestate.errors import InputError
from tissuestate.files import load_arrays
from tissuestate.genes import GeneMap
from tissuestate.profiles import digest
from tissuestate.reference import gene_ids


def check_fits(bundle: str | Path, bed: str | Path, annotation: str | Path) -> None:
    """Raise InputError unless the reference is the one that a bundle's samples are counted on.

    bundle: its folder; bed: the transcripts that mRIN looks at; annotation: the GTF. A bundle that
    was trained on reads wants the very same transcripts, any bundle as many of its genes among the
    annotation's as a sample needs.
    """
    opened = read_bundle(bundle)
    advice = "name the config that the bundle was trained with: --configfile."
    if opened.has("integrity.npz"):
        fitted = str(load_arrays(opened.path("integrity.npz"))["bed"])
        if fitted != digest(bed):
            raise InputError(
                f"config: reference: its transcripts ({bed}) are others than those that the bundle "
                f"{bundle} was trained with; {advice}"
            )
    genes = set(opened.description["genes"])
    known = GeneMap.read(opened.path("genes.tsv.gz")).to_symbols(gene_ids(annotation))[0]
    share = len(genes & set(known)) / len(genes)
    if share < opened.description["thresholds"]["genes"]:
        raise InputError(
            f"config: reference: its annotation ({annotation}) has {share:.0%} of the "
            f"{len(genes):,} genes of the bundle {bundle}; {advice}"
        )
