"""Keep or drop each sample, with every figure and reason in one table."""

from pathlib import Path

import pandas as pd
from tissuestate.files import atomic
from tissuestate.logs import logged


def by_sample(paths, suffix):
    return {Path(path).name.removesuffix(suffix): path for path in paths}


with logged(snakemake.log[0]):
    from tissuestate.quality import decide_quality
    from tissuestate.sheet import read_samples

    table = decide_quality(
        read_samples(snakemake.input.samples),
        pd.read_csv(snakemake.input.mrin, sep="\t", dtype={"sample": str}),
        by_sample(snakemake.input.get("star_logs", []), ".Log.final.out"),
        by_sample(snakemake.input.summaries, ".tsv.summary"),
        min_aligned=snakemake.params.min_aligned,
        min_assigned=snakemake.params.min_assigned,
        min_mrin=snakemake.params.min_mrin,
    )
    with atomic(snakemake.output.qc) as temporary:
        table.to_csv(temporary, sep="\t", index=False)
