"""The folder into which calls are written, whose other files stay as they are."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tissuestate.classification.page import INDEX, page_files
from tissuestate.errors import InputError

CALLS, AS_JSON, GENES, PAGES = "calls.tsv", "calls.json", "genes.tsv", "pages"
_OF_WORKFLOW = "made_from.json"


@contextmanager
def replaced_results(folder: Path) -> Iterator[Path]:
    """A folder to write all results into; at the end they take the place of earlier ones.

    If that fails, or the block does, `folder` is as it was. Raises InputError if it is no folder,
    or holds files of these names that are no earlier results.
    """
    earlier = _find_earlier(folder)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".tissuestate-", dir=folder) as name:
            yield Path(name)
            made = [path for path in Path(name).rglob("*") if path.is_file()]
            places = [folder / path.relative_to(name) for path in made]
            for place in {place.parent for place in places}:
                place.mkdir(exist_ok=True)
            for path, place in zip(made, places, strict=True):
                path.replace(place)
            for path in set(earlier) - set(places):
                path.unlink(missing_ok=True)
    finally:
        if is_new:
            with suppress(OSError):  # it holds the results
                folder.rmdir()


def _find_earlier(folder: Path) -> list[Path]:
    """The files of earlier results in a folder. Raises InputError if others have their names."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: a file, expected a folder for the calls; name another.")
    there = [name for name in (CALLS, AS_JSON, GENES, PAGES) if (folder / name).exists()]
    if not there:
        return []
    try:
        records = json.loads((folder / AS_JSON).read_text(encoding="utf-8"))
        samples = [record["sample"] for record in records if record["bundle"]]
    except (OSError, ValueError, TypeError, KeyError):
        samples = []
    if not samples or (folder / _OF_WORKFLOW).exists():
        raise InputError(
            f"{folder / there[0]}: not written by this command, and would be replaced; name "
            "another folder with --out, or move the file."
        )
    pages = [folder / PAGES / name for name in (INDEX, *page_files(samples).values())]
    return [*(folder / name for name in (CALLS, AS_JSON, GENES)), *pages]
