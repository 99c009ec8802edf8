"""Download a project of recount3 and turn it into a matrix of read counts."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.matrices.recount3 import fetch_project

    params = snakemake.params
    fetch_project(params.data_source, params.project, snakemake.output.matrix)
