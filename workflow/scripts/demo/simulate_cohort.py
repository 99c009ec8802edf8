"""Simulate the demo cohort: genome, annotation, reads, and the truth about them."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.demo.reads import simulate_cohort
    from tissuestate.sheet.sheet import read_sheet

    simulate_cohort(
        read_sheet(snakemake.input.sheet),
        genome_path=snakemake.output.genome,
        annotation_path=snakemake.output.annotation,
        genes_path=snakemake.output.truth_genes,
        samples_path=snakemake.output.truth_samples,
        seed=snakemake.params.seed,
        pairs=snakemake.params.pairs,
        threads=snakemake.threads,
    )
