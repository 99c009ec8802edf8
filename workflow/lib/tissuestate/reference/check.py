"""Check that a bundle can call what a reference counts, before hours are spent on another.

Imports no module of the models, so that an edit of these aligns no reads again.
"""

import csv
import gzip
import json
import zlib
from pathlib import Path

from tissuestate.errors import InputError


def check_reference_fits(bundle: str | Path, genes: set[str], reference: str | Path) -> None:
    """Raise InputError unless a bundle can call samples that are counted on a reference.

    bundle: its folder; genes: the gene ids of the annotation; reference: how to name it. The
    annotation, of whatever build, needs as many of the bundle's genes as a sample must have.
    """
    folder = Path(bundle)
    try:
        description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        wanted, least = set(description["genes"]), description["thresholds"]["genes"]
        with gzip.open(folder / "genes.tsv.gz", "rt", encoding="utf-8", newline="") as table:
            rows = {row["symbol"]: row for row in csv.DictReader(table, delimiter="\t")}
    except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error) as error:
        raise InputError(f"{bundle}: not a readable bundle ({error}); copy it again.") from error
    here = {name.partition(".")[0] for name in genes} | genes
    found = sum(
        symbol in here
        or any(not here.isdisjoint(cell.split("|")) for cell in _known_names(rows, symbol))
        for symbol in wanted
    )
    if found < least * len(wanted):
        raise InputError(
            f"{reference}: has {found:,} of the {len(wanted):,} genes of the bundle {bundle}; "
            "name a config with an annotation of the same species: --configfile, and if it differs "
            "from one prepared here, a folder of its own: 'pathvars={reference: …}'."
        )


def _known_names(rows: dict[str, dict[str, str]], symbol: str) -> list[str]:
    """The ids and other names of a gene, joined by '|'."""
    row = rows.get(symbol, {})
    return [row.get(column) or "" for column in ("ensembl", "entrez", "aliases")]
