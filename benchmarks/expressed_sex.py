"""Whether the expressed sex is that of the donor, in real samples.

python benchmarks/expressed_sex.py RESULTS DATA benchmarks/expressed_sex.tsv

RESULTS is the results folder of a finished run on the real cohort (`make real`), whose gene map is
used; DATA holds tcga_gtex, tcga_gtex_more and external. The sex of a donor is known by tissue (of
one sex alone, of this or another sample of the donor), by the metadata, or, of tumours, by what
other tissue of the donor expresses (known_by: donor). One row per source, tissue, state and sex:
how many samples express XX, XY, or neither for certain (undecided). Tables without a gene of
chromosome Y are left out. With `xist` as 'hidden', tables that have XIST are read as if they had
not. Sources 'thinned' are all samples of counts whose sex is expressed, by their own call, drawn
again at few reads.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from tissuestate.matrices.gene_map import GeneMap
from tissuestate.matrices.gene_rows import MappedRows
from tissuestate.matrices.read import read_matrix
from tissuestate.matrices.sex import GENES, PARTNERS, SEX_OF_TISSUE, express_sex, find_genes

FOLDERS = ("tcga_gtex", "tcga_gtex_more", "external")
# E-MTAB-513; the other tissues of Illumina's Body Map are of women.
MEN = ("Adrenal", "Heart", "Leukocyte", "Liver", "Lung", "Prostate", "Skeletal_muscle", "Testis")
DEPTHS = (10_000, 30_000, 100_000, 1_000_000)
KEYS = ["source", "tissue", "state", "xist", "known_by", "sex"]


def read_file(path: Path, unit: str, samples: list[str], gene_map: GeneMap) -> pd.DataFrame:
    """The genes that tell the sex of a file's samples, all reads, the sex with and without XIST."""
    matrix = read_matrix(path, dict.fromkeys(samples, ""), unit=unit, missing="keep")
    mapped = MappedRows.from_ids(matrix.ids.tolist(), gene_map)
    units = [unit] * len(matrix.values)
    values, _ = mapped.rows.collapse(matrix.values, units)
    places = find_genes(mapped.symbols)
    hidden = np.where(np.array(GENES) == "XIST", -1, places)
    table = pd.DataFrame(
        np.where(places >= 0, values[:, places], np.nan), matrix.samples, list(GENES)
    )
    return table.assign(
        reads=np.nansum(matrix.values, axis=1) if unit == "count" else np.nan,
        found=express_sex(values, places, matrix.values, units),
        hidden=express_sex(values, hidden, matrix.values, units),
    )


def read_samples(data: Path, gene_map: GeneMap) -> pd.DataFrame:
    """All samples with their labels and expressed sex."""
    parts = []
    for folder in FOLDERS:
        sheet = pd.read_csv(
            data / folder / "samples.tsv", sep="\t", dtype=str, keep_default_na=False
        )
        sheet["source"] = sheet["set"] if "set" in sheet else sheet["source"]
        sheet["what"] = sheet.get("what", "")
        for file, group in sheet.groupby("file", sort=False):
            stated = group["unit"].iloc[0]
            unit = next((u for u in ("log2", "count") if u in stated), "normalised")
            read = read_file(data / folder / file, unit, group["sample"].tolist(), gene_map)
            parts += group.join(read, on="sample").to_dict("records")
    return pd.DataFrame(parts).rename(columns={"disease_state": "state"})


def sex_by_metadata(row: pd.Series) -> str:
    """XX or XY if the metadata say the donor's sex, else ''."""
    if row["source"] == "bodymap":
        return "XY" if row["sample"].removeprefix("bodymap_") in MEN else "XX"
    words = row["what"].replace("(", " ").replace(")", " ").replace(",", " ").split()
    said = {"women": "XX", "female": "XX", "male": "XY"}
    return next((said[word] for word in words if word in said), "")


def sex_by_tissue(row: pd.Series) -> str:
    """XX or XY if one sex alone has the tissue, else ''."""
    words = [row["tissue"], *row["what"].lower().replace("testes", "testis").split()[:1]]
    return next((SEX_OF_TISSUE[word] for word in words if word in SEX_OF_TISSUE), "")


def known_sexes(samples: pd.DataFrame) -> pd.DataFrame:
    """The sex of each sample ('' = not known), and how it is known."""
    pooled = samples["donor"].isin(["pool"])
    tissue = samples.apply(sex_by_tissue, axis=1)
    one = tissue[~pooled & (tissue != "")].groupby(samples["donor"]).first()
    tissue = tissue.where(tissue != "", samples["donor"].map(one).fillna(""))
    stated = samples.apply(sex_by_metadata, axis=1)
    healthy = ~pooled & (samples["state"].isin(["non-neoplastic", "peri-neoplastic"]))
    shown = samples.loc[healthy & (samples["found"] != ""), "found"].groupby(samples["donor"])
    agreed = shown.first()[shown.nunique() == 1]
    donor = samples["donor"].map(agreed).fillna("").where(samples["state"] == "neoplastic", "")
    known = pd.DataFrame({"tissue": tissue, "metadata": stated, "donor": donor})
    known_by = known.ne("").idxmax(axis=1).where(known.ne("").any(axis=1), "")
    sex = [
        row[by] if by else "" for row, by in zip(known.to_dict("records"), known_by, strict=True)
    ]
    return pd.DataFrame({"known_by": known_by, "sex": sex})


def tabulate(samples: pd.DataFrame, found: pd.Series) -> pd.DataFrame:
    """One row per group of `KEYS`: its samples by expressed sex."""
    counts = pd.crosstab([samples[key] for key in KEYS], found.replace("", "undecided"))
    counts = counts.reindex(columns=["XX", "XY", "undecided"], fill_value=0)
    counts.insert(0, "n", counts.sum(axis=1))
    return counts.reset_index()


def thin(samples: pd.DataFrame) -> pd.DataFrame:
    """Rows of samples of counts at few reads, beside what they express at all of them."""
    rng = np.random.default_rng(1)
    chosen = samples[(samples["reads"] > 0) & (samples["found"] != "")]
    places, rows = np.arange(len(GENES)), []
    for depth in DEPTHS:
        share = np.minimum(1, depth / chosen["reads"].to_numpy())[:, None]
        values = chosen[list(GENES)].to_numpy(float)
        drawn = np.where(np.isnan(values), np.nan, rng.poisson(np.nan_to_num(values) * share))
        for xist, cells in (("as it is", places), ("hidden", np.where(places == 0, -1, places))):
            found = express_sex(drawn, cells, drawn, ["count"] * len(drawn))
            about = {"source": f"thinned to {depth:,} reads", "tissue": "all", "state": ""}
            labels = chosen.assign(**about, xist=xist, known_by="own call", sex=chosen["found"])
            rows.append(tabulate(labels, pd.Series(found, chosen.index, name="found")))
    return pd.concat(rows)


def main() -> None:
    results, data = Path(sys.argv[1]), Path(sys.argv[2])
    samples = read_samples(data, GeneMap.read(results / "matrices" / "gene_ids.tsv.gz"))
    samples = samples.join(known_sexes(samples))
    has_genes = samples[list(PARTNERS)].notna().any(axis=1)
    has_xist = samples["XIST"].notna()
    samples["xist"] = np.where(has_xist, "yes", "no")
    parts = [tabulate(samples[has_genes], samples.loc[has_genes, "found"])]
    blind = samples[has_xist & has_genes & (samples["sex"] != "")].assign(xist="hidden")
    parts += [tabulate(blind, blind["hidden"]), thin(samples)]
    table = pd.concat(parts, ignore_index=True)
    table.to_csv(sys.argv[3], sep="\t", index=False)
    print(table.to_string(index=False))
    known = table[(table["sex"] != "") & (table["known_by"] != "own call")]
    for (xist, by), group in known.groupby(["xist", "known_by"]):
        wrong = group["XX"].where(group["sex"] == "XY", group["XY"]).sum()
        share = group["undecided"].sum() / group["n"].sum()
        print(f"XIST {xist}, known by {by}: {group['n'].sum()} samples, {wrong} wrong, ", end="")
        print(f"{share:.1%} undecided")


if __name__ == "__main__":
    main()
