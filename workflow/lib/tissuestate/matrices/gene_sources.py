"""The gene map's sources: Bioconductor's org.Hs.eg.db, and the annotation of the reads."""

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tissuestate.errors import InputError
from tissuestate.matrices.gene_map import COLUMNS, GeneMap
from tissuestate.matrices.genes import ENSEMBL
from tissuestate.reference.gtf import read_names

log = logging.getLogger(__name__)


def build_gene_map(
    organism_database: str | Path | None, annotation: str | Path | None = None
) -> GeneMap:
    """A gene map from Bioconductor's org.Hs.eg.db (its SQLite file), a GTF, or both.

    The database gives symbols, aliases, Entrez and Ensembl ids of genes; the GTF adds genes that it
    does not know and all transcripts, of which the database has but some of a gene. If both know an
    Ensembl id, the GTF's name decides unless it is an alias of the database's gene.

    Raises InputError if neither is given, or one cannot be read.
    """
    genes: dict[str, dict[str, dict[str, None]]] = {}

    def add(symbol: str, column: str, *names: str) -> None:
        record = genes.setdefault(symbol, {name: {} for name in COLUMNS[1:]})
        record[column].update(dict.fromkeys(names))

    if organism_database is not None:
        _read_database(Path(organism_database), add)
    if annotation is not None:
        _add_annotation(Path(annotation), genes, add)
    if not genes:
        raise InputError(
            "no gene names: install Debian's r-bioc-org.hs.eg.db (Bioconductor's org.Hs.eg.db) or "
            "give an annotation in GTF."
        )
    rows = [
        (symbol, *("|".join(record[column]) for column in COLUMNS[1:]))
        for symbol, record in sorted(genes.items())
    ]
    log.info("%d genes are known by symbol", len(rows))
    return GeneMap(pd.DataFrame(rows, columns=list(COLUMNS), dtype=str))


def _read_database(path: Path, add: Callable[..., None]) -> None:
    """Add what the database knows: `add(symbol, column, *names)`.

    Of the genes that share an Ensembl id, it belongs to the one that codes for a protein, then to
    the one with the smallest Entrez id: of RUNX1 and LOC100506403 to RUNX1.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such database; install r-bioc-org.hs.eg.db.")
    queries = {
        "entrez": "SELECT symbol, gene_id FROM genes JOIN gene_info USING (_id) ORDER BY _id",
        "ensembl": "SELECT symbol, ensembl_id FROM genes JOIN gene_info USING (_id)"
        " JOIN ensembl USING (_id) LEFT JOIN genetype USING (_id)"
        " ORDER BY gene_type IS NOT 'protein-coding', CAST(gene_id AS INTEGER), ensembl_id",
        "aliases": "SELECT symbol, alias_symbol FROM gene_info JOIN alias USING (_id)"
        " WHERE symbol != alias_symbol ORDER BY _id, alias_symbol",
    }
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            for column, query in queries.items():
                owners: dict[str, str] = {}
                for symbol, name in connection.execute(query):
                    if "|" in name:
                        continue
                    if column == "ensembl" and owners.setdefault(name, symbol) != symbol:
                        continue
                    add(symbol, column, name)
                    for written in (symbol, name):  # C1orf112 is often written C1ORF112
                        if "orf" in written:
                            add(symbol, "aliases", written.upper())
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise InputError(f"{path}: not org.Hs.eg.db's SQLite file ({error}).") from error


def _add_annotation(
    path: Path, genes: dict[str, dict[str, dict[str, None]]], add: Callable[..., None]
) -> None:
    """Add the genes and transcripts of a GTF to those of the database."""
    of_ensembl = {name: symbol for symbol in reversed(genes) for name in genes[symbol]["ensembl"]}
    owners = Counter(alias for record in genes.values() for alias in record["aliases"])
    of_alias = {
        alias: symbol
        for symbol, record in genes.items()
        for alias in record["aliases"]
        if owners[alias] == 1 and alias not in genes
    }
    for gene_id, gene_name, transcript in _annotated_genes(path):
        known = of_ensembl.get(gene_id)
        if known is not None and (gene_name == known or gene_name in genes[known]["aliases"]):
            symbol = known
        else:
            symbol = of_alias.get(gene_name, gene_name)
            if known is not None and known != symbol:
                genes[known]["ensembl"].pop(gene_id, None)
        add(symbol, "ensembl", gene_id)
        if transcript:
            add(symbol, "transcripts", transcript)


def _annotated_genes(path: Path) -> list[tuple[str, str, str]]:
    """Each (gene id, name, transcript id) of a GTF once, versions of Ensembl ids removed."""
    found = read_names(path)
    if not len(found):
        raise InputError(f"{path}: no line has a gene_id; an annotation in GTF is expected.")
    genes, transcripts = (
        [like[1] if (like := ENSEMBL.fullmatch(name)) else name for name in found[column]]
        for column in ("gene_id", "transcript_id")
    )
    names = [
        name or other or gene
        for name, other, gene in zip(found["gene_name"], found["gene"], genes, strict=True)
    ]
    return list(dict.fromkeys(zip(genes, names, transcripts, strict=True)))
