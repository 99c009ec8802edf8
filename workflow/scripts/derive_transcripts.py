"""One representative transcript a gene, from the annotation, as BED12."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import logging

    from tissuestate.transcripts import representative_transcripts, write_bed

    transcripts = representative_transcripts(snakemake.input.gtf)
    write_bed(snakemake.output.bed, transcripts)
    logging.info("%d representative transcripts", len(transcripts))
