"""Download one file, or copy a local one, and verify it."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    from tissuestate.reference.download import fetch

    fetch(snakemake.params.url, snakemake.output.file, snakemake.params.checksum)
