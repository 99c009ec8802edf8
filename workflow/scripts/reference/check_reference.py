"""Check, before reads are aligned, that the reference fits the bundle; find what mRIN looks at."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import logging
    from pathlib import Path

    from tissuestate.files import atomic
    from tissuestate.reference.check import check_reference_fits
    from tissuestate.reference.chromosomes import read_chromosomes
    from tissuestate.reference.genome import gene_ids
    from tissuestate.reference.shared import locate_shared
    from tissuestate.reference.transcripts import read_bed, write_bed

    source, output, bundle = snakemake.input, snakemake.output, snakemake.params.bundle
    check_reference_fits(bundle, gene_ids(source.annotation), source.annotation)
    if output.get("transcripts"):
        wanted = read_bed(Path(bundle) / "transcripts.bed")
        chromosomes = read_chromosomes(source.chromosomes)
        shared = locate_shared(wanted, source.bed, source.annotation, chromosomes)
        write_bed(output.transcripts, shared)
        logging.info(
            "mRIN looks at %d of the bundle's %d transcripts, which this reference has with the "
            "same exonic length",
            len(shared),
            len(wanted),
        )
    with atomic(output.fits) as temporary:
        temporary.write_text(f"{source.bed} fits {bundle}\n", encoding="utf-8")
