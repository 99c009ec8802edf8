"""Faults of gene ids of which too few were found."""

from collections.abc import Sequence

from tissuestate.matrices.genes import Recognition, are_transcripts
from tissuestate.matrices.screening import foreign_species


def describe_id_problem(ids: Sequence[str], recognition: Recognition) -> str:
    """A sentence on why too few gene ids are known, and the remedy."""
    species = foreign_species(ids)
    if species:
        return f"the gene ids are those of {species}, the model knows human genes"
    if recognition.row_numbers:
        return (
            "the ids are numbers, but not Entrez ids: they look like those of rows, or counts; "
            "write the gene ids in the first column (in pandas index=False, in R row.names = FALSE)"
        )
    if are_transcripts(ids).sum() > len(ids) / 2:
        return (
            "the ids are transcripts, of which too few can be placed on a gene; name a table of "
            "transcripts and their genes, or their annotation (GTF), as tx2gene, or give a file of "
            "genes"
        )
    found = f"found {recognition.unknown[0]!r}; " if recognition.unknown else ""
    return (
        f"check the gene ids and the species ({found}expected human gene symbols, Ensembl ids such "
        "as ENSG00000141510, or Entrez ids)"
    )
