"""Uncompressed genome and annotation that name the same chromosomes."""

from tissuestate.logs import logged
from tissuestate.reference import prepare_reference

with logged(snakemake.log[0]):
    prepare_reference(
        snakemake.input.genome,
        snakemake.input.annotation,
        snakemake.output.genome,
        snakemake.output.annotation,
    )
