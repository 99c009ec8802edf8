"""One representative transcript a gene as BED12: derived from a GTF, or a BED given, checked."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import logging

    from tissuestate.transcripts import read_bed, representative_transcripts, write_bed

    source = snakemake.input.transcripts
    is_bed = source.removesuffix(".gz").endswith(".bed")
    transcripts = read_bed(source) if is_bed else representative_transcripts(source)
    write_bed(snakemake.output.bed, transcripts)
    logging.info("%d representative transcripts", len(transcripts))
