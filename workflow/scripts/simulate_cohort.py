"""Simulate the demo cohort: genome, annotation, reads, and the truth about them."""

import pandas as pd
from tissuestate.logs import logged

with logged(snakemake.log[0]):
    from tissuestate.simulate import simulate_cohort

    simulate_cohort(
        pd.read_csv(snakemake.input.sheet, sep="\t", dtype=str, keep_default_na=False),
        genome_path=snakemake.output.genome,
        annotation_path=snakemake.output.annotation,
        genes_path=snakemake.output.truth_genes,
        samples_path=snakemake.output.truth_samples,
        seed=snakemake.params.seed,
        pairs=snakemake.params.pairs,
        threads=snakemake.threads,
    )
