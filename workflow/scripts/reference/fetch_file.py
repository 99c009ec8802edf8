"""Download one file, or copy a local one, and verify it."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.reference.download import fetch_file

    fetch_file(snakemake.params.url, snakemake.output.file, snakemake.params.checksum)
