"""The genes of Ensembl's human transcripts, for tables of transcripts without their genes."""

import gzip
import re
from functools import cache
from itertools import accumulate
from pathlib import Path

from tissuestate.checksums import file_checksum
from tissuestate.errors import InputError

# Numbers of genes and of their transcripts, each but a gene's first as the difference from the one
# before. Written by resources/ensembl_transcripts.py; the checksum also makes an edit of the file
# one of the code that uses it.
TRANSCRIPTS = Path(__file__).with_name("ensembl_transcripts.tsv.gz")
SHA256 = "4aea18bbb587ba8134ac18d1cd74cf7bc943ca41468c798b4d56dec7ca6588d7"
_TRANSCRIPT = re.compile(r"ENST([0-9]{11})")


def find_gene(transcript: str) -> str:
    """The Ensembl id of a transcript's gene ('' if none is known); both without version."""
    number = _TRANSCRIPT.fullmatch(transcript.replace("ENSTR", "ENST0"))  # the copy on chromosome Y
    gene = _genes_of_transcripts().get(int(number[1])) if number else None
    return "" if gene is None else f"ENSG{gene:011d}"


@cache
def _genes_of_transcripts() -> dict[int, int]:
    """{number of a transcript: number of its gene}."""
    if file_checksum(TRANSCRIPTS) != SHA256:
        raise InputError(f"{TRANSCRIPTS}: the file is damaged; install the software again.")
    found: dict[int, int] = {}
    for line in gzip.decompress(TRANSCRIPTS.read_bytes()).decode().splitlines():
        gene, transcripts = line.split("\t")
        found.update(dict.fromkeys(accumulate(map(int, transcripts.split())), int(gene)))
    return found
