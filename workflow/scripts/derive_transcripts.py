"""One representative transcript a gene as BED12: derived from a GTF, or a BED given, checked."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import logging

    from tissuestate.chromosomes import read_chromosomes
    from tissuestate.transcripts import on_genome, read_bed, representative_transcripts, write_bed

    source = snakemake.input.transcripts
    is_bed = source.removesuffix(".gz").endswith(".bed")
    transcripts = read_bed(source) if is_bed else representative_transcripts(source)
    transcripts = on_genome(source, transcripts, read_chromosomes(snakemake.input.chromosomes))
    write_bed(snakemake.output.bed, transcripts)
    logging.info("%d representative transcripts", len(transcripts))
