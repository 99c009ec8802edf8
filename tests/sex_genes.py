"""Counts of genes that tell the sex, of people and tumours whose truth is known."""

import numpy as np
import pandas as pd
from tissuestate.matrices.gene_map import COLUMNS, GeneMap
from tissuestate.matrices.sex import GENES, PARTNERS

OTHERS = tuple(f"GENE{number}" for number in range(60))
# Counts of XIST, of each gene of Y, and the truth.
PEOPLE = {
    "woman": (700, 0, "XX"),
    "woman, some reads astray": (700, 2, "XX"),
    "man": (2, 500, "XY"),
    "man of age": (2, 220, "XY"),
    "man whose tumour lost Y": (2, 30, ""),
    "woman whose tumour lost the silent X": (1, 0, ""),
    "mixture": (400, 250, ""),
}


def sex_counts() -> pd.DataFrame:
    """Counts of each of `PEOPLE` × `GENES` and `OTHERS`; partners on X have 2,000 or so."""
    rng = np.random.default_rng(3)
    means = {name: 0.0 for name in PARTNERS} | {name: 2000.0 for name in PARTNERS.values()}
    table = pd.DataFrame(rng.negative_binomial(1, 0.01, (len(PEOPLE), len(OTHERS))).astype(float))
    table = table.set_axis(PEOPLE, axis=0).set_axis(OTHERS, axis=1)
    table[OTHERS[0]] = 0.0
    for gene in GENES:
        amounts = [xist if gene == "XIST" else y for xist, y, _ in PEOPLE.values()]
        expected = np.full(len(PEOPLE), means[gene]) if gene in PARTNERS.values() else amounts
        table[gene] = rng.poisson(expected).astype(float)
    return table


def sex_gene_map() -> GeneMap:
    """All genes of `sex_counts` by symbol, Ensembl and Entrez id."""
    names = [*GENES, *OTHERS]
    rows = [(name, f"ENSG{n:011d}", str(500_000 + n), "", "") for n, name in enumerate(names)]
    return GeneMap(pd.DataFrame(rows, columns=list(COLUMNS), dtype=str))


def in_unit(counts: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Counts as counts, TPM, log2(TPM + 1) or log2(TPM + 0.001)."""
    tpm = counts.div(counts.sum(axis=1), axis=0) * 1e6
    return {
        "count": counts,
        "normalised": tpm,
        "log2": np.log2(tpm + 1),
        "log2 of a little": np.log2(tpm + 0.001),
    }[unit].astype(np.float32)
