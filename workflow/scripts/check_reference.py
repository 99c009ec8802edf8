"""Before the index is made and reads are aligned: whether the reference is that of the bundle."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    from tissuestate.files import atomic
    from tissuestate.reference_check import check_fits

    bundle = snakemake.params.bundle
    if bundle:
        check_fits(bundle, snakemake.input.bed, snakemake.input.annotation)
    with atomic(snakemake.output.fits) as temporary:
        temporary.write_text(f"fits {bundle or 'a cohort of its own'}\n", encoding="utf-8")
