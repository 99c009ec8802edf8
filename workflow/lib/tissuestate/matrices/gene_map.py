"""The gene map: symbols, aliases, Ensembl and Entrez ids, brought to one symbol per gene."""

import gzip
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from tissuestate.errors import InputError
from tissuestate.files import atomic
from tissuestate.matrices.ensembl import find_gene
from tissuestate.matrices.genes import (
    ENSEMBL,
    NUMBER,
    REFSEQ,
    Recognition,
    are_row_numbers,
    are_transcripts,
    most_common_kind,
    plain_id,
)

COLUMNS = ("symbol", "ensembl", "entrez", "aliases", "transcripts")
EXAMPLES = 3  # unknown ids that are named
_PREFIX = re.compile(
    r"(?:gene|transcript|ensembl|entrez(?:id)?|ncbigene|geneid|hsa|symbol) ?[:=] ?", re.I
)
_BESIDE = re.compile(r"[|;()\[\]\s_]+")


class GeneMap:
    """Symbols of genes with all their other names.

    Made from a frame with the columns `COLUMNS`, one row per symbol; several ids or names of one
    gene are joined by '|'.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table.reset_index(drop=True)
        symbols = self.table["symbol"].to_numpy(dtype=object)
        self._row = {symbol: row for row, symbol in enumerate(symbols)}

    # Each is made when first needed: for one sample this takes longer than all the rest.

    @cached_property
    def _ensembl(self) -> dict[str, str]:
        return self._look_up_table("ensembl")

    @cached_property
    def _entrez(self) -> dict[str, str]:
        return self._look_up_table("entrez")

    @cached_property
    def _transcript(self) -> dict[str, str]:
        return self._look_up_table("transcripts")

    def with_transcripts(self, genes: Mapping[str, str]) -> "GeneMap":
        """This map with a user's transcripts, of which `genes` has the gene, an id or a symbol.

        Its own transcripts of the same names go. A gene that the map lacks is its own symbol.
        """
        names = list(dict.fromkeys(genes.values()))
        symbols, _ = self.to_symbols(names)
        symbol_of = {name: symbol or name for name, symbol in zip(names, symbols, strict=True)}
        found: dict[str, list[str]] = defaultdict(list)
        for transcript, gene in genes.items():
            found[symbol_of[gene]].append(transcript)
        for transcript, symbol in self._transcript.items():
            if transcript not in genes:
                found[symbol].append(transcript)
        new = pd.DataFrame({"symbol": [name for name in found if name not in self._row]}, dtype=str)
        table = pd.concat([self.table, new.reindex(columns=list(COLUMNS), fill_value="")])
        return GeneMap(
            table.assign(transcripts=["|".join(found.get(name, ())) for name in table["symbol"]])
        )

    def are_transcripts(self, ids: Iterable[str]) -> np.ndarray:
        """Mask of the ids that are, or begin with, those of transcripts, or are known as such."""
        names = [str(name) for name in ids]
        known = [name in self._transcript for name in names]
        return are_transcripts(names) | np.array(known, dtype=bool)

    def are_placed(self, ids: Iterable[str]) -> np.ndarray:
        """Mask of the ids that are, or begin with, an Ensembl transcript of a known gene.

        The map may lack the gene.
        """
        first = [ENSEMBL.match(name.strip("\"' ")) for name in ids]
        return np.array(
            [like is not None and find_gene(like[1].upper()) != "" for like in first], dtype=bool
        )

    def _look_up_table(self, column: str) -> dict[str, str]:
        """{id: symbol}; for an id in two rows the first counts."""
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
            raise InputError(
                f"{path}: not a readable gene map ({error}); make it again."
            ) from error
        missing = [name for name in COLUMNS if name not in table.columns]
        if missing:
            raise InputError(f"{path}: a gene map has the column {missing[0]!r}; make it again.")
        return cls(table)

    def write(self, path: str | Path) -> None:
        """Write the map as gzipped TSV whose bytes depend on its content alone."""
        text = self.table.to_csv(sep="\t", index=False, columns=list(COLUMNS), lineterminator="\n")
        with atomic(path) as temporary:
            temporary.write_bytes(gzip.compress(text.encode(), compresslevel=6, mtime=0))

    def annotate(self, symbols: Iterable[str]) -> pd.DataFrame:
        """Frame indexed by symbol with the columns ensembl and entrez ('' if not known)."""
        frame = self.table.set_index("symbol")[["ensembl", "entrez"]]
        return frame.reindex(list(symbols)).fillna("").rename_axis(None)

    def to_symbols(self, ids: Iterable[str]) -> tuple[np.ndarray, Recognition]:
        """The symbol of each id ('' if it is not known), and how many were recognised as what.

        Ids may stand in quotes, Ensembl ids in small letters or with a version, Entrez ids as
        decimals (7105.0), and each with another name of the gene beside it (SYMBOL|ENTREZ,
        ENSG…_SYMBOL, SYMBOL (ENTREZ), GENCODE's piped transcripts) that does not say another gene.
        An alias or previous symbol is taken for the symbol if it belongs to one gene only and
        that gene is not itself among `ids`. Numbers are no gene ids if too few are known or many
        are repeated, as counts are.
        """
        names = [str(name).strip().strip("\"'").strip() for name in ids]
        symbols, kinds = zip(*map(self._find_direct, names), strict=True) if names else ((), ())
        found, kind = np.array(symbols, dtype=object), np.array(kinds, dtype=object)
        alone = np.flatnonzero(kind == "entrez")  # with a prefix they are no numbers of rows
        alone = alone[[NUMBER.fullmatch(names[i]) is not None for i in alone]]
        numbers = are_row_numbers([names[i] for i in alone], found[alone], len(names))
        if numbers:
            found[alone], kind[alone] = "", "unknown"
        direct = set(filter(None, found))
        aliases = 0
        for i in np.flatnonzero((found == "") & (kind == "unknown")):
            others = [symbol for symbol in self._find_indirect(names[i]) if symbol not in direct]
            if others:
                found[i], kind[i] = others[0], "symbol"
                aliases += 1
        recognised = found != ""
        unknown = (names[i] for i in np.flatnonzero(~recognised) if names[i])
        return found.astype(str), Recognition(
            len(names),
            int(recognised.sum()),
            most_common_kind(Counter(kind[recognised]), kind),
            aliases,
            tuple(islice(unknown, EXAMPLES)),
            numbers,
        )

    def _find_direct(self, name: str) -> tuple[str, str]:
        """Symbol and kind of an id, aliases not looked at; the kind alone if it is not known."""
        if name in self._row:
            return name, "symbol"
        symbol, kind = self._find_id(name)
        if symbol or kind != "unknown":
            return symbol, kind
        bare = _PREFIX.sub("", name)
        if bare in self._row:
            return bare, "symbol"
        ensembl = list(ENSEMBL.finditer(bare))
        if ensembl:
            return self._find_beside_ids(bare, ensembl)
        parts = list(filter(None, _BESIDE.split(bare)))
        named = [part for part in parts if part in self._row]
        if len(parts) != 2 or len(set(named)) != 1:
            only = parts[0] if len(parts) == 1 else ""
            return (only, "symbol") if only in self._row else self._find_id(only)
        number = next((part for part in parts if part.isdecimal()), "")
        if "|" in bare or (
            self._agrees(named[0], number) and ("_" not in bare or number in self._entrez)
        ):
            return named[0], "symbol"
        return "", "unknown"

    def _find_id(self, name: str) -> tuple[str, str]:
        """Symbol and kind of an Entrez or Ensembl id that stands alone."""
        if number := NUMBER.fullmatch(name):
            return self._entrez.get(number[1], ""), "entrez"
        if name in self._ensembl:  # the annotation's own ids have any form
            return self._ensembl[name], "ensembl"
        if name in self._transcript or REFSEQ.fullmatch(name):
            return self._transcript.get(plain_id(name), ""), "transcript"
        like = ENSEMBL.fullmatch(name)
        if not like:
            return "", "unknown"
        bare = like[1].upper()
        if like[2].upper() == "T":
            symbol = self._transcript.get(bare) or self._ensembl.get(find_gene(bare), "")
            return symbol, "transcript"
        gene = self._ensembl.get(bare) or self._ensembl.get(bare.replace("ENSGR", "ENSG0"), "")
        return gene, "ensembl"

    def _find_beside_ids(self, name: str, ensembl: list[re.Match[str]]) -> tuple[str, str]:
        """Symbol and kind of Ensembl ids with something beside them; genes decide."""
        genes = [like[0] for like in ensembl if like[2].upper() == "G"]
        ids = genes or [like[0] for like in ensembl]
        found = [self._find_id(one) for one in ids]
        symbols = {symbol for symbol, _ in found if symbol}
        beside = ENSEMBL.sub("", name).strip("|;,/()[]_ ")
        if beside in self._row and not symbols:
            symbols = {beside}
        elif beside in self._row and not all(self._agrees(beside, one) for one in ids):
            symbols.add(beside)
        return (next(iter(symbols)) if len(symbols) == 1 else ""), found[0][1]

    def _agrees(self, symbol: str, name: str) -> bool:
        """Whether an id is unknown, or of the symbol's gene, now or under a previous name."""
        of = self._find_id(name)[0]
        if of in ("", symbol):
            return True
        about = self.table.iloc[self._row[of]]
        bare = ENSEMBL.sub(lambda like: like[1].upper(), name)
        own = self.table.iloc[self._row[symbol]]
        return symbol in about["aliases"].split("|") or bare in (
            *own["ensembl"].split("|"),
            *own["entrez"].split("|"),
            *own["transcripts"].split("|"),
        )

    def _find_indirect(self, name: str) -> Iterator[str]:
        """Symbols of a name's alias and of the Entrez id beside it: 'ALIAS|ENTREZ', 'ALIAS (…)'."""
        first, *others = re.split(r" *[|;(] *", name.rstrip(") "))[:2]
        if first in self._alias:
            yield self._alias[first]
        if first not in self._row:
            yield from (self._entrez[other] for other in others if other in self._entrez)
