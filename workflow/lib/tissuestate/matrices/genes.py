"""Gene ids: their kinds, and how many of a data set are recognised as what."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

KINDS = {
    "symbol": "gene symbols",
    "ensembl": "Ensembl ids",
    "entrez": "Entrez ids",
    "transcript": "transcript ids",
    "mixed": "ids of several kinds",
    "unknown": "ids of no known kind",
}
# With a version, one of GENCODE lifted to another build (.9_6) too, and the copy on chromosome Y,
# which older releases wrote ENSGR instead of ENSG0.
ENSEMBL = re.compile(
    r"(ENS[A-Z]*?([GT])[R0-9][0-9]{10})(?:\.[0-9]+)?(?:_[0-9]+)?(?:_PAR_Y)?(?![A-Za-z0-9])", re.I
)
NUMBER = re.compile(r"([0-9]+)(?:\.0+)?")
# Numbers are Entrez ids if nearly all are known, or if enough are and some are as large as those
# of genes found lately are; numbers of rows are small, and known by chance.
ENTREZ_KNOWN, ENTREZ_LARGE, FEW_NUMBERS = (0.6, 0.95), 100_000, 50
# Of counts one number stands in more than this share of the rows, and in more rows than this; of
# Entrez ids of transcripts none does.
REPEATED, REPEATED_FEW = 0.005, 10
REFSEQ = re.compile(r"([NX][MR]_[0-9]{6,9})(?:\.[0-9]+)?", re.I)
_TRANSCRIPT = re.compile(rf"ENS[A-Z]*?T[R0-9][0-9]{{10}}|{REFSEQ.pattern}", re.I)


@dataclass(frozen=True)
class Recognition:
    """Numbers and kind of the ids of a data set that were recognised."""

    n_ids: int
    n_recognised: int
    kind: str  # symbol | ensembl | entrez | transcript | mixed | unknown
    n_aliases: int = 0  # of the recognised, by an alias or previous symbol
    unknown: tuple[str, ...] = ()  # the first of the others
    row_numbers: bool = False  # whether the ids are numbers, of rows or counts, not of genes

    def describe(self) -> str:
        """A sentence such as '17,412 of 17,993 genes found as Ensembl ids'."""
        return f"{self.n_recognised:,} of {self.n_ids:,} genes found as {KINDS[self.kind]}"

    def describe_unknown(self) -> str:
        """A sentence such as '12 ids are unknown and left out, such as TOTAL'; '' if none is."""
        if not self.unknown:
            return ""
        return (
            f"{self.n_ids - self.n_recognised:,} ids are unknown and left out, such as "
            f"{', '.join(self.unknown)}"
        )


def are_transcripts(ids: Iterable[str]) -> np.ndarray:
    """Mask of the ids that are, or begin with, those of transcripts of Ensembl or RefSeq."""
    return np.array([_TRANSCRIPT.match(name.strip("\"' ")) is not None for name in ids], dtype=bool)


def plain_id(name: str) -> str:
    """An id of Ensembl or of a RefSeq transcript in capitals without its version, or the name."""
    like = ENSEMBL.fullmatch(name) or REFSEQ.fullmatch(name)
    return like[1].upper() if like else name


def are_row_numbers(numbers: Sequence[str], found: np.ndarray, rows: int) -> bool:
    """Whether ids that are numbers look like row numbers or counts; `rows`: rows of the file."""
    if len(numbers) < max(FEW_NUMBERS, rows / 2):
        return False
    share = (found != "").mean()
    times = Counter(int(number.split(".")[0]) for number in numbers)
    repeated = times.most_common(1)[0][1] > max(REPEATED_FEW, REPEATED * len(numbers))
    few = share < ENTREZ_KNOWN[1] and max(times) < ENTREZ_LARGE
    return repeated or few or bool(share < ENTREZ_KNOWN[0])


def most_common_kind(recognised: Counter[str], kinds: np.ndarray) -> str:
    """The kind of 95 % of the recognised ids; if none is recognised, of all."""
    counts = recognised or Counter(kinds)
    if not counts:
        return "unknown"
    kind, number = counts.most_common(1)[0]
    return kind if number >= 0.95 * counts.total() else "mixed"
