"""Rows of a table added up by gene, in training and classification alike."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from tissuestate.matrices.gene_map import GeneMap
from tissuestate.matrices.genes import Recognition
from tissuestate.matrices.units import added_before_log, linear_scale

MOSTLY = 0.5  # share of the comparable genes with equal rows from which a table was doubled


@dataclass(frozen=True)
class GeneRows:
    """Rows of a table by the gene they belong to.

    Rows of one gene are added up on the linear scale. Of rows that are equal, which a join of
    tables leaves, one counts: if the value is above the sample's median, below which counts are
    equal by chance, or if most such genes of the sample have equal rows. Different transcripts
    of a gene are never taken for the same; if the gene has a row of its own, theirs are left
    out.
    """

    genes: np.ndarray  # the genes that have rows, ascending
    first: np.ndarray  # position of the first row of each
    repeated: np.ndarray  # which of the genes have several rows
    members: np.ndarray  # positions of all their rows, gene by gene
    starts: np.ndarray  # where each repeated gene begins among the members
    alike: np.ndarray  # members of the same number may be the same row twice

    @classmethod
    def from_ids(cls, genes: np.ndarray, ids: Sequence[str], transcripts: np.ndarray) -> "GeneRows":
        """Group rows by gene (a number, below 0: none); ids and transcripts describe the rows."""
        whole = np.isin(genes, genes[~transcripts])
        genes = np.where(transcripts & whole, -1, genes)
        order = np.argsort(genes, kind="stable")
        order = order[genes[order] >= 0]
        names, starts, sizes = np.unique(genes[order], return_index=True, return_counts=True)
        repeated = np.flatnonzero(sizes > 1)
        members = order[np.repeat(sizes > 1, sizes)]
        keys: dict[tuple[int, str], int] = {}
        alike = [
            keys.setdefault((int(genes[row]), ids[row] if transcripts[row] else ""), len(keys))
            for row in members
        ]
        ends = np.cumsum(sizes[repeated])
        return cls(
            names, order[starts], repeated, members, ends - sizes[repeated], np.array(alike, int)
        )

    def collapse(
        self, values: np.ndarray, units: Sequence[str], wanted: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Samples × genes, float32 (NaN if all rows are missing), from samples × rows.

        units: that of each sample. wanted: positions of the genes to give, if not all; what they
        are does not depend on it. Also returns of how many genes of each sample equal rows count
        once.
        """
        wanted = np.arange(len(self.genes)) if wanted is None else wanted
        result = values[:, self.first[wanted]].astype(np.float32)
        once = np.zeros(len(values), dtype=int)
        if not len(self.members):
            return result, once
        sizes = np.diff(np.append(self.starts, len(self.members)))
        gene = np.repeat(np.arange(len(self.starts)), sizes)
        column = np.full(len(self.genes), -1)
        column[wanted] = np.arange(len(wanted))
        column = column[self.repeated]
        given = column >= 0
        for i, unit in enumerate(units):
            with np.errstate(over="ignore"):  # of counts called logarithms, which are refused
                sample = linear_scale(values[i], unit)
            linear = sample[self.members]
            equal = self._equal(linear, sample, gene)
            once[i] = len(np.unique(gene[equal]))
            missing = np.isnan(linear)
            total = np.add.reduceat(np.where(missing | equal, 0, linear), self.starts)
            if unit == "log2":
                total = np.log2(total + added_before_log(values[i]))
            none = np.logical_and.reduceat(missing, self.starts)
            result[i, column[given]] = np.where(none, np.nan, total)[given]
        return result, once

    def _equal(self, linear: np.ndarray, sample: np.ndarray, gene: np.ndarray) -> np.ndarray:
        """Mask of the members left out as equal to another of their gene."""
        order = np.lexsort((linear, self.alike))
        value, alike = linear[order], self.alike[order]
        same = np.zeros(len(order), dtype=bool)
        same[1:] = (alike[1:] == alike[:-1]) & (value[1:] == value[:-1]) & (value[1:] > 0)
        equal = np.zeros(len(order), dtype=bool)
        if same.any():
            equal[order] = same
            large = linear >= np.median(sample[sample > 0])
            comparable = np.bincount(self.alike)[self.alike] > 1
            genes = [len(np.unique(gene[which & large])) for which in (equal, comparable)]
            if genes[0] < MOSTLY * genes[1] or genes[1] == 0:
                equal &= large
        return equal


@dataclass(frozen=True)
class MappedRows:
    """A table's rows brought to symbols by a gene map, for training and for calls alike."""

    ids: list[str]  # as they stand in the table
    symbols: np.ndarray  # of the genes found, ascending
    rows: GeneRows  # whose genes are positions in `symbols`
    transcripts: np.ndarray  # which ids are transcripts
    known: np.ndarray  # which have a symbol, or are transcripts of a gene that the map lacks
    recognition: Recognition

    @classmethod
    def from_ids(
        cls, ids: Sequence[str], gene_map: GeneMap, own_names: Collection[str] = ()
    ) -> "MappedRows":
        """Map a table's ids to symbols; an unknown id among `own_names` is its own symbol."""
        symbols, found = gene_map.to_symbols(ids)
        known = symbols != ""
        lost = np.flatnonzero(~known)
        known[lost] = gene_map.are_placed([ids[row] for row in lost.tolist()])
        names = [
            symbol or (name if name in own_names else "")
            for symbol, name in zip(symbols, ids, strict=True)
        ]
        distinct, places = np.unique(np.array(names, dtype=str), return_inverse=True)
        if len(distinct) and distinct[0] == "":
            distinct, places = distinct[1:], places - 1
        transcripts = gene_map.are_transcripts(ids)
        rows = GeneRows.from_ids(places, ids, transcripts)
        return cls(list(ids), distinct, rows, transcripts, known, found)
