"""Write the page on calls of samples whose laboratory was left out."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import anndata
    from tissuestate.files import atomic
    from tissuestate.labels import read_classes
    from tissuestate.report.laboratories import laboratories_facts, read_left_out
    from tissuestate.report.render import render
    from tissuestate.tables import plain_labels

    source = snakemake.input
    cohort = anndata.read_h5ad(source.cohort, backed="r")
    found = read_left_out(source, read_classes(source.classes), plain_labels(cohort.obs))
    with atomic(snakemake.output.html) as temporary:
        facts = {**laboratories_facts(found), **snakemake.params.page}
        page = render("laboratories.html.j2", facts)
        temporary.write_text(page, encoding="utf-8")
