"""Uncompressed genome and annotation that name the same chromosomes."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.reference.genome import prepare_reference

    prepare_reference(
        snakemake.input.genome,
        snakemake.input.annotation,
        snakemake.output.genome,
        snakemake.output.annotation,
        snakemake.output.chromosomes,
    )
