"""Write one transcript per gene as BED12: derived from a GTF, or those of a BED file, checked."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import logging

    from tissuestate.files import atomic
    from tissuestate.reference.check import check_reference_fits
    from tissuestate.reference.chromosomes import read_chromosomes
    from tissuestate.reference.genome import gene_ids
    from tissuestate.reference.transcripts import (
        read_bed,
        representative_transcripts,
        select_on_genome,
        write_bed,
    )

    source, bundle = snakemake.input.transcripts, snakemake.params.bundle
    is_bed = source.removesuffix(".gz").endswith(".bed")
    transcripts = read_bed(source) if is_bed else representative_transcripts(source)
    transcripts = select_on_genome(
        source, transcripts, read_chromosomes(snakemake.input.chromosomes)
    )
    with atomic(snakemake.output.bed) as temporary:
        write_bed(temporary, transcripts)
        if bundle:  # before the index is made
            check_reference_fits(bundle, gene_ids(snakemake.input.annotation), "config: reference")
    logging.info("%d representative transcripts", len(transcripts))
