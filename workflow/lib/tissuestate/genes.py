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
from itertools import islice
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
# With a version, one of GENCODE lifted to another build (.9_6) too, and the copy on chromosome Y,
# which older releases wrote ENSGR instead of ENSG0.
_ENSEMBL = re.compile(
    r"(ENS[A-Z]*?([GT])[R0-9][0-9]{10})(?:\.[0-9]+)?(?:_[0-9]+)?(?:_PAR_Y)?(?![A-Za-z0-9])", re.I
)
_PREFIX = re.compile(
    r"(?:gene|transcript|ensembl|entrez(?:id)?|ncbigene|geneid|hsa|symbol) ?[:=] ?", re.I
)
_BESIDE = re.compile(r"[|;()\[\]\s_]+")
_NUMBER = re.compile(r"([0-9]+)(?:\.0+)?")
# Numbers are Entrez ids where nearly all are known, or enough are and some are as large as those
# of genes found lately are; numbers of rows are small, and known by chance.
ENTREZ_KNOWN, ENTREZ_LARGE, FEW_NUMBERS = (0.6, 0.95), 100_000, 50
# Of counts one number stands in more than this share of the rows, and in more rows than this; of
# Entrez ids of transcripts none does.
REPEATED, REPEATED_FEW = 0.005, 10
EXAMPLES = 3
_TRANSCRIPT = re.compile(r"ENS[A-Z]*?T[0-9]{11}", re.I)
_ATTRIBUTE = re.compile(r'(gene_id|gene_name|gene|transcript_id) "([^"]*)"')


@dataclass(frozen=True)
class Recognition:
    """How many ids of a data set were recognised, and as what."""

    n_ids: int
    n_recognised: int
    kind: str  # symbol | ensembl | entrez | transcript | mixed | unknown
    n_aliases: int = 0  # of the recognised, by an alias or previous symbol
    unknown: tuple[str, ...] = ()  # the first of the others
    row_numbers: bool = False  # whether the ids are numbers, of rows or counts, not of genes

    def sentence(self) -> str:
        """Such as '17,412 of 17,993 genes found as Ensembl ids'."""
        return f"{self.n_recognised:,} of {self.n_ids:,} genes found as {KINDS[self.kind]}"

    def left_out(self) -> str:
        """Such as '12 ids are unknown and left out, such as TOTAL' ('' where there are none)."""
        if not self.unknown:
            return ""
        return (
            f"{self.n_ids - self.n_recognised:,} ids are unknown and left out, such as "
            f"{', '.join(self.unknown)}"
        )


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
        """The symbol of each id ('' where it is not known), how many were recognised, and as what.

        Ids may stand in quotes, Ensembl ids in small letters or with a version, Entrez ids as
        decimals (7105.0), and each with another name of the gene beside it (SYMBOL|ENTREZ,
        ENSG…_SYMBOL, SYMBOL (ENTREZ), GENCODE's piped transcripts) that does not say another gene.
        An alias or previous symbol is taken for the symbol where it belongs to one gene only and
        that gene is not itself among `ids`. Numbers of which too few are known, or that repeat much
        as counts do, are none of genes.
        """
        names = [str(name).strip().strip("\"'").strip() for name in ids]
        symbols, kinds = zip(*map(self._direct, names), strict=True) if names else ((), ())
        found, kind = np.array(symbols, dtype=object), np.array(kinds, dtype=object)
        alone = np.flatnonzero(kind == "entrez")  # with a prefix they are no numbers of rows
        alone = alone[[_NUMBER.fullmatch(names[i]) is not None for i in alone]]
        numbers = _row_numbers([names[i] for i in alone], found[alone], len(names))
        if numbers:
            found[alone], kind[alone] = "", "unknown"
        direct = set(filter(None, found))
        aliases = 0
        for i in np.flatnonzero((found == "") & (kind == "unknown")):
            others = [symbol for symbol in self._indirect(names[i]) if symbol not in direct]
            if others:
                found[i], kind[i] = others[0], "symbol"
                aliases += 1
        recognised = found != ""
        unknown = (names[i] for i in np.flatnonzero(~recognised) if names[i])
        return found.astype(str), Recognition(
            len(names),
            int(recognised.sum()),
            _kind_of_most(Counter(kind[recognised]), kind),
            aliases,
            tuple(islice(unknown, EXAMPLES)),
            numbers,
        )

    def _direct(self, name: str) -> tuple[str, str]:
        """Symbol and kind of an id, aliases not looked at; the kind alone where it is not known."""
        if name in self._row:
            return name, "symbol"
        symbol, kind = self._of_id(name)
        if symbol or kind != "unknown":
            return symbol, kind
        bare = _PREFIX.sub("", name)
        if bare in self._row:
            return bare, "symbol"
        ensembl = list(_ENSEMBL.finditer(bare))
        if ensembl:
            return self._beside(bare, ensembl)
        parts = list(filter(None, _BESIDE.split(bare)))
        named = [part for part in parts if part in self._row]
        if len(parts) != 2 or len(set(named)) != 1:
            only = parts[0] if len(parts) == 1 else ""
            return (only, "symbol") if only in self._row else self._of_id(only)
        number = next((part for part in parts if part.isdecimal()), "")
        if "|" in bare or (
            self._agree(named[0], number) and ("_" not in bare or number in self._entrez)
        ):
            return named[0], "symbol"
        return "", "unknown"

    def _of_id(self, name: str) -> tuple[str, str]:
        """Symbol and kind of an Entrez or Ensembl id that stands alone."""
        if number := _NUMBER.fullmatch(name):
            return self._entrez.get(number[1], ""), "entrez"
        if name in self._ensembl:  # the annotation's own ids have any form
            return self._ensembl[name], "ensembl"
        like = _ENSEMBL.fullmatch(name)
        if not like:
            return "", "unknown"
        bare = like[1].upper()
        if like[2].upper() == "T" and bare in self._transcript:
            return self._transcript[bare], "transcript"
        gene = self._ensembl.get(bare) or self._ensembl.get(bare.replace("ENSGR", "ENSG0"), "")
        return gene, "transcript" if like[2].upper() == "T" else "ensembl"

    def _beside(self, name: str, ensembl: list[re.Match[str]]) -> tuple[str, str]:
        """Symbol and kind of Ensembl ids with something beside them; genes decide."""
        genes = [like[0] for like in ensembl if like[2].upper() == "G"]
        ids = genes or [like[0] for like in ensembl]
        found = [self._of_id(one) for one in ids]
        symbols = {symbol for symbol, _ in found if symbol}
        beside = _ENSEMBL.sub("", name).strip("|;,/()[]_ ")
        if beside in self._row and not symbols:
            symbols = {beside}
        elif beside in self._row and not all(self._agree(beside, one) for one in ids):
            symbols.add(beside)
        return (next(iter(symbols)) if len(symbols) == 1 else ""), found[0][1]

    def _agree(self, symbol: str, name: str) -> bool:
        """Whether an id is unknown, or of the symbol's gene, now or under a previous name."""
        of = self._of_id(name)[0]
        if of in ("", symbol):
            return True
        about = self.table.iloc[self._row[of]]
        bare = _ENSEMBL.sub(lambda like: like[1].upper(), name)
        own = self.table.iloc[self._row[symbol]]
        return symbol in about["aliases"].split("|") or bare in (
            *own["ensembl"].split("|"),
            *own["entrez"].split("|"),
            *own["transcripts"].split("|"),
        )

    def _indirect(self, name: str) -> Iterator[str]:
        """Symbols of a name's alias and of the Entrez id beside it: 'ALIAS|ENTREZ', 'ALIAS (…)'."""
        first, *others = re.split(r" *[|;(] *", name.rstrip(") "))[:2]
        if first in self._alias:
            yield self._alias[first]
        if first not in self._row:
            yield from (self._entrez[other] for other in others if other in self._entrez)


def _row_numbers(numbers: list[str], found: np.ndarray, rows: int) -> bool:
    """Whether ids that are numbers, of so many rows, look like those of rows, or counts."""
    if len(numbers) < max(FEW_NUMBERS, rows / 2):
        return False
    share = (found != "").mean()
    times = Counter(int(number.split(".")[0]) for number in numbers)
    repeated = times.most_common(1)[0][1] > max(REPEATED_FEW, REPEATED * len(numbers))
    few = share < ENTREZ_KNOWN[1] and max(times) < ENTREZ_LARGE
    return repeated or few or bool(share < ENTREZ_KNOWN[0])


def are_transcripts(ids: Iterable[str]) -> np.ndarray:
    """Which ids are, or begin with, those of Ensembl transcripts: a mask."""
    return np.array([_TRANSCRIPT.match(name.strip("\"' ")) is not None for name in ids], dtype=bool)


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

    The database gives symbols, aliases, Entrez and Ensembl ids of genes; the GTF adds genes that it
    does not know and all transcripts, of which the database has but some of a gene. Where both know
    an Ensembl id, the GTF's name decides
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
