"""The table of classes that a sample can belong to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from tissuestate.errors import InputError
from tissuestate.labels import HEADS, OTHER, STATES
from tissuestate.sheet.checks import check_class
from tissuestate.sheet.rows import EMPTY_WORDS, read_rows


@dataclass(frozen=True)
class ClassTable:
    """The classes that a sample can belong to, in the order in which they are always listed.

    names: the plain names of those classes that have one, for pages and figures.
    """

    tissues: tuple[str, ...]
    subtypes_of: dict[str, tuple[str, ...]]
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def states(self) -> tuple[str, ...]:
        """The three disease states."""
        return STATES

    @property
    def subtypes(self) -> tuple[str, ...]:
        """The subtypes of all tissues."""
        return tuple(subtype for group in self.subtypes_of.values() for subtype in group)

    def classes_of(self, head: str) -> tuple[str, ...]:
        """The classes of one head (disease_state, tissue or subtype)."""
        return {"disease_state": self.states, "tissue": self.tissues, "subtype": self.subtypes}[
            head
        ]

    def classes_present(self, samples: pd.DataFrame) -> dict[str, list[str] | dict[str, list[str]]]:
        """The classes that occur among `samples`, in the table's order.

        Returns lists under disease_state, tissue and subtype, and under subtypes_of the subtypes
        of each tissue that has any.
        """
        here = {head: set(samples[head]) for head in HEADS}
        groups = {
            tissue: [name for name in group if name in here["subtype"]]
            for tissue, group in self.subtypes_of.items()
        }
        return {
            **{
                head: [name for name in self.classes_of(head) if name in here[head]]
                for head in HEADS
            },
            "subtypes_of": {tissue: group for tissue, group in groups.items() if group},
        }

    @classmethod
    def read(cls, path: str | Path) -> "ClassTable":
        """Read a TSV with the columns tissue and subtype, one row per pair (subtype may be empty).

        The column name may be absent; it has the plain name of the row's subtype or, if the row
        has none, of its tissue. Raises InputError for missing columns, unsafe names, a tissue
        `other`, a subtype given to two tissues, two spellings of one class, and a class with two
        names.
        """
        rows = read_rows(path, ("tissue", "subtype"))
        names: dict[str, str] = {}
        subtypes: dict[str, list[str]] = {}
        owner: dict[str, str] = {}
        tissues: dict[str, str] = {}
        own: dict[str, str] = {}
        for number, row in rows:
            tissue, subtype = row["tissue"], row["subtype"]
            check_class(path, number, "tissue", tissue, tissues)
            if tissue.lower() == OTHER:
                raise InputError(
                    f"{path}, row {number}, column tissue: {tissue!r} is the word for samples of "
                    "no class; name the tissue."
                )
            group = subtypes.setdefault(tissue, [])
            name = row.get("name", "")
            if name and names.setdefault(subtype or tissue, name) != name:
                raise InputError(
                    f"{path}, row {number}, column name: {subtype or tissue!r} is named {name!r} "
                    f"here and {names[subtype or tissue]!r} above; keep one of the two names."
                )
            if not subtype:
                continue
            check_class(path, number, "subtype", subtype, own)
            if subtype in EMPTY_WORDS:
                where = f"{path}, row {number}, column subtype"
                raise InputError(
                    f"{where}: found {subtype!r}; leave it empty if the tissue has no subtypes."
                )
            if subtype in owner:
                raise InputError(
                    f"{path}, row {number}: subtype {subtype!r} is already listed under tissue "
                    f"{owner[subtype]!r}; give each subtype one tissue and one row."
                )
            owner[subtype] = tissue
            group.append(subtype)
        groups = {tissue: tuple(group) for tissue, group in subtypes.items()}
        return cls(tuple(subtypes), groups, names)
