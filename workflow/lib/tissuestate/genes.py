"""Gene ids: symbols, aliases, Ensembl and Entrez ids brought to one symbol per gene."""

import gzip
import logging
import re
import sqlite3
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from tissuestate.errors import InputError
from tissuestate.files import atomic

log = logging.getLogger(__name__)

COLUMNS = ("symbol", "ensembl", "entrez", "aliases", "transcripts")
KINDS = {
    "symbol": "gene symbols",
    "ensembl": "Ensembl ids",
    "entrez": "Entrez ids",
    "transcript": "Ensembl transcript ids",
    "mixed": "ids of several kinds",
    "unknown": "ids of no known kind",
}
_ENSEMBL = re.compile(r"(ENS[A-Z]*([GT])[0-9]{11})(?:\.[0-9]+)?(?:_PAR_Y)?")
_ATTRIBUTE = re.compile(r'(gene_id|gene_name|gene|transcript_id) "([^"]*)"')


@dataclass(frozen=True)
class Recognition:
    """How many ids of a data set were recognised, and as what."""

    n_ids: int
    n_recognised: int
    kind: str  # symbol | ensembl | entrez | transcript | mixed | unknown
    n_aliases: int = 0  # of the recognised, by an alias or previous symbol

    def sentence(self) -> str:
        """Such as '17,412 of 17,993 genes found as Ensembl ids'."""
        return f"{self.n_recognised:,} of {self.n_ids:,} genes found as {KINDS[self.kind]}"


class GeneMap:
    """Symbols of genes and every other name they go by.

    Made from a frame with the columns `COLUMNS`, a row a symbol, several ids or names of one gene
    joined by '|'.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table.reset_index(drop=True)
        symbols = self.table["symbol"].to_numpy(dtype=object)
        self._row = {symbol: row for row, symbol in enumerate(symbols)}

    # Each is made when an id asks for it: for one sample that takes longer than all the rest.

    @cached_property
    def _ensembl(self) -> dict[str, str]:
        return self._lookup("ensembl")

    @cached_property
    def _entrez(self) -> dict[str, str]:
        return self._lookup("entrez")

    @cached_property
    def _transcript(self) -> dict[str, str]:
        return self._lookup("transcripts")

    def _lookup(self, column: str) -> dict[str, str]:
        """{id: symbol}; of an id that stands in two rows the first counts."""
        found: dict[str, str] = {}
        for symbol, cell in zip(self.table["symbol"], self.table[column], strict=True):
            if cell:
                for name in cell.split("|"):
                    found.setdefault(name, symbol)
        return found

    @cached_property
    def _alias(self) -> dict[str, str]:
        """{alias: symbol} of the aliases that belong to one gene and are no symbol."""
        owners: dict[str, set[str]] = defaultdict(set)
        for symbol, cell in zip(self.table["symbol"], self.table["aliases"], strict=True):
            for alias in filter(None, cell.split("|")):
                owners[alias].add(symbol)
        return {
            alias: next(iter(names))
            for alias, names in owners.items()
            if len(names) == 1 and alias not in self._row
        }

    @classmethod
    def read(cls, path: str | Path) -> "GeneMap":
        """Read a map that `write` wrote. Raises InputError for a file that is none."""
        try:
            table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, na_filter=False)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise InputError(f"{path}: not a readable gene map ({error}); make it anew.") from error
        missing = [name for name in COLUMNS if name not in table.columns]
        if missing:
            raise InputError(f"{path}: a gene map has the column {missing[0]!r}; make it anew.")
        return cls(table)

    def write(self, path: str | Path) -> None:
        """Write the map as gzipped TSV whose bytes depend on its content alone."""
        text = self.table.to_csv(sep="\t", index=False, columns=list(COLUMNS), lineterminator="\n")
        with atomic(path) as temporary:
            temporary.write_bytes(gzip.compress(text.encode(), compresslevel=6, mtime=0))

    def annotate(self, symbols: Iterable[str]) -> pd.DataFrame:
        """Frame indexed by symbol with the columns ensembl and entrez ('' where not known)."""
        frame = self.table.set_index("symbol")[["ensembl", "entrez"]]
        return frame.reindex(list(symbols)).fillna("").rename_axis(None)

    def to_symbols(self, ids: Iterable[str]) -> tuple[np.ndarray, Recognition]:
        """The symbol of each id ('' where it has none) and how many were recognised, as what.

        Ensembl ids may carry a version; SYMBOL|ENTREZ and GENCODE's piped transcript names are
        understood. An alias or previous symbol is taken for the symbol where it belongs to one gene
        only and that gene is not itself among `ids`. A name that the map does not know is kept as
        the symbol it seems to be; an unknown Ensembl or Entrez id is not.
        """
        names = [str(name).strip() for name in ids]
        symbols, kinds = zip(*map(self._direct, names), strict=True) if names else ((), ())
        direct = set(filter(None, symbols))
        found = np.array(symbols, dtype=object)
        kind = np.array(kinds, dtype=object)
        recognised = found != ""
        aliases = 0
        for i in np.flatnonzero(~recognised & (kind == "unknown")):
            name = self._unpipe(names[i]) if "|" in names[i] else names[i]
            symbol = self._alias.get(name)
            if symbol is not None and symbol not in direct:
                found[i], kind[i], recognised[i] = symbol, "symbol", True
                aliases += 1
            else:
                found[i] = name
        counts = Counter(kind[recognised])
        most = _kind_of_most(counts, kind)
        return found.astype(str), Recognition(len(names), int(recognised.sum()), most, aliases)

    def _direct(self, name: str) -> tuple[str, str]:
        """Symbol and kind of an id, aliases not looked at; the kind alone where it is not known."""
        if name in self._row:
            return name, "symbol"
        if "|" in name:
            symbol, entrez = name.split("|")[:2]
            if symbol in self._row:
                return symbol, "symbol"
            if entrez in self._entrez:
                return self._entrez[entrez], "symbol"
            name = self._unpipe(name)
        if name.isdecimal():
            return self._entrez.get(name, ""), "entrez"
        like = _ENSEMBL.fullmatch(name)
        if not like:
            return (self._ensembl[name], "ensembl") if name in self._ensembl else ("", "unknown")
        if name in self._ensembl:
            return self._ensembl[name], "ensembl"
        if like[2] == "T" and like[1] in self._transcript:
            return self._transcript[like[1]], "transcript"
        return self._ensembl.get(like[1], ""), "ensembl"

    def _unpipe(self, name: str) -> str:
        """One id out of 'SYMBOL|ENTREZ' or 'ENST...|ENSG...|...'."""
        first, second = name.split("|")[:2]
        if _ENSEMBL.fullmatch(first) and _ENSEMBL.fullmatch(second):
            return second
        return first if first != "?" else second


def _kind_of_most(recognised: Counter[str], kinds: np.ndarray) -> str:
    """The kind of 95 % of the recognised ids; where none is recognised, of all."""
    counts = recognised or Counter(kinds)
    if not counts:
        return "unknown"
    kind, number = counts.most_common(1)[0]
    return kind if number >= 0.95 * counts.total() else "mixed"


def build_gene_map(
    organism_database: str | Path | None, annotation: str | Path | None = None
) -> GeneMap:
    """A gene map from Bioconductor's org.Hs.eg.db (its SQLite file), a GTF, or both.

    The database gives symbols, aliases, Entrez and Ensembl ids; the GTF adds the genes and
    transcripts the database does not know. Where both know an Ensembl id, the GTF's name decides
    unless it is an alias of the database's gene.

    Raises InputError where neither is given, or one cannot be read.
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


def _read_database(path: Path, add) -> None:  # type: ignore[no-untyped-def]
    if not path.is_file():
        raise InputError(f"{path}: there is no such database; install r-bioc-org.hs.eg.db.")
    queries = {
        "entrez": "SELECT symbol, gene_id FROM genes JOIN gene_info USING (_id) ORDER BY _id",
        "ensembl": "SELECT symbol, ensembl_id FROM gene_info JOIN ensembl USING (_id) ORDER BY _id,"
        " ensembl_id",
        "aliases": "SELECT symbol, alias_symbol FROM gene_info JOIN alias USING (_id)"
        " WHERE symbol != alias_symbol ORDER BY _id, alias_symbol",
        "transcripts": "SELECT symbol, trans_id FROM gene_info JOIN ensembl_trans USING (_id)"
        " ORDER BY _id, trans_id",
    }
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            for column, query in queries.items():
                for symbol, name in connection.execute(query):
                    if "|" in name:
                        continue
                    add(symbol, column, name)
                    for written in (symbol, name):  # C1orf112 is often written C1ORF112
                        if "orf" in written:
                            add(symbol, "aliases", written.upper())
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise InputError(f"{path}: not org.Hs.eg.db's SQLite file ({error}).") from error


def _add_annotation(path: Path, genes: dict[str, dict[str, dict[str, None]]], add) -> None:  # type: ignore[no-untyped-def]
    of_ensembl = {name: symbol for symbol in reversed(genes) for name in genes[symbol]["ensembl"]}
    owners = Counter(alias for record in genes.values() for alias in record["aliases"])
    of_alias = {
        alias: symbol
        for symbol, record in genes.items()
        for alias in record["aliases"]
        if owners[alias] == 1 and alias not in genes
    }
    for gene_id, gene_name, transcript in _gtf_genes(path):
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


def _gtf_genes(path: Path) -> Iterator[tuple[str, str, str]]:
    """Each (gene id, name, transcript id) of a GTF once, versions of Ensembl ids removed."""
    seen = set()
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rt") if zipped else path.open(encoding="utf-8") as lines:
            for line in lines:
                found = dict(_ATTRIBUTE.findall(line))
                if line.startswith("#") or "gene_id" not in found:
                    continue
                gene, transcript = (
                    like[1] if (like := _ENSEMBL.fullmatch(name)) else name
                    for name in (found["gene_id"], found.get("transcript_id", ""))
                )
                name = found.get("gene_name") or found.get("gene") or gene
                if gene and (key := (gene, name, transcript)) not in seen:
                    seen.add(key)
                    yield key
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable GTF ({error}).") from error
    if not seen:
        raise InputError(f"{path}: no line has a gene_id; an annotation in GTF is expected.")
