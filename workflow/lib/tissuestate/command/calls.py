"""Calls of all samples of some files, by the steps that the workflow takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tissuestate.advance import Advance, say_nothing
from tissuestate.classification.classifier import Classifier, Predictions
from tissuestate.classification.new_samples import (
    NewSamples,
    call_samples,
    describe_calls,
    read_new_samples,
    read_qualities,
    tabulate_origins,
)
from tissuestate.command.files import GivenFile
from tissuestate.command.samples import list_samples
from tissuestate.errors import InputError
from tissuestate.sheet.samples import with_local_matrices


@dataclass(frozen=True)
class Calls:
    """Calls as `describe_calls` gives them, and what they were made of.

    description: of the bundle. layouts: of each file that could be read, by its given name.
    """

    table: pd.DataFrame
    records: list[dict[str, Any]]
    predictions: Predictions
    new: NewSamples
    description: dict[str, Any]
    layouts: dict[str, str]


def call_files(
    classifier: Classifier,
    files: Sequence[GivenFile],
    unit: str = "",
    begin: Callable[[int], Advance] = lambda samples: say_nothing,
) -> Calls:
    """The calls of all samples of the files; see `list_samples` for their names.

    `begin` is told how many there are; what it gives is told of each twice, when it is read and
    when it is called. Raises UnreadableFiles if no file can be read.
    """
    sheet, flaws, layouts = list_samples(files, unit, classifier.gene_map)
    advance = begin(len(sheet))
    here = {file.name: str(file.path) for file in files}
    local = with_local_matrices(sheet, list(here), list(here.values()))
    new = read_new_samples(local[~local["sample"].isin(flaws)], {}, advance)
    for reasons in (new.refused, new.cut_short):
        for row in sheet.itertuples():
            if row.sample in reasons:
                given = reasons[row.sample].replace(here[row.matrix], row.matrix)
                reasons[row.sample] = given
    new.refused.update(flaws)
    if not new.frames:
        raise UnreadableFiles(list(dict.fromkeys(new.refused.values())))
    quality = read_qualities([], {}, {})
    found = call_samples(classifier, sheet, new, quality, None, advance)
    origin = tabulate_origins(sheet, here, {}, classifier)
    table, records = describe_calls(found, sheet, quality, origin)
    return Calls(table, records, found, new, classifier.description, layouts)


class UnreadableFiles(InputError):
    """None of the files can be read; `reasons` has a sentence for each."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons
