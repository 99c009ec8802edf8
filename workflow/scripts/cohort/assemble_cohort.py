"""Merge counts and matrices of the samples that passed quality control into one AnnData."""

import json

from tissuestate.files import atomic
from tissuestate.logs import log_to
from tissuestate.refusals import paths_by_sample

with log_to(snakemake.log[0]):
    from tissuestate.cohort.laboratories import laboratory_table
    from tissuestate.cohort.merge import assemble_cohort, keep_samples, training_classes
    from tissuestate.cohort.sex import sex_table
    from tissuestate.h5ad import write_h5ad
    from tissuestate.matrices.gene_map import GeneMap
    from tissuestate.sheet.classes import ClassTable
    from tissuestate.sheet.samples import read_samples, with_local_matrices
    from tissuestate.tables import read_table

    samples, quality = read_samples(snakemake.input.samples), None
    if snakemake.input.get("qc"):
        from_reads = samples.loc[samples["origin"] != "matrix", "sample"]
        quality = read_table(snakemake.input.qc, flags=["kept"], samples=from_reads)
    samples = keep_samples(samples, quality)
    named = snakemake.params.matrices  # those of RNAseqDB come after them
    samples = with_local_matrices(samples, named, snakemake.input.get("matrices", [])[: len(named)])
    cohort, genes = assemble_cohort(
        samples,
        GeneMap.read(snakemake.input.genes),
        counts=paths_by_sample(snakemake.input.get("counts", []), ".tsv"),
        expected_genes=snakemake.params.expected_genes,
        missing=snakemake.params.missing_values,
        genes=snakemake.params.genes_kept,
    )
    classes = training_classes(cohort, ClassTable.read(snakemake.input.classes))
    write_h5ad(snakemake.output.cohort, cohort)
    with atomic(snakemake.output.genes) as temporary:
        genes.to_csv(temporary, sep="\t", index=False)
    with atomic(snakemake.output.laboratories) as temporary:
        laboratory_table(samples).to_csv(temporary, sep="\t", index=False)
    with atomic(snakemake.output.sex) as temporary:
        sex_table(cohort.obs).to_csv(temporary, sep="\t", index=False)
    with atomic(snakemake.output.classes) as temporary:
        temporary.write_text(json.dumps(classes, indent=2) + "\n")
