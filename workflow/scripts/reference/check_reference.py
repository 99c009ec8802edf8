"""Check, before reads are aligned, that a reference made for other samples fits the bundle."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from pathlib import Path

    from tissuestate.files import atomic
    from tissuestate.reference.check import check_reference_fits
    from tissuestate.reference.genome import gene_ids

    source, bundle = snakemake.input, snakemake.params.bundle
    check_reference_fits(
        bundle, Path(source.bed).read_bytes(), gene_ids(source.annotation), source.bed
    )
    with atomic(snakemake.output.fits) as temporary:
        temporary.write_text(f"{source.bed} fits {bundle}\n", encoding="utf-8")
