"""Draw the figures of the correction: principal components and batch effect, before and after."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import anndata
    from tissuestate.labels import has_class
    from tissuestate.report.figures.expression import (
        correction_diagnostics,
        principal_components,
        project,
    )
    from tissuestate.report.figures.style import save
    from tissuestate.tables import read_table

    page = snakemake.params.page
    tables, explained = {}, {}
    for stage, path in (
        ("before", snakemake.input.normalised),
        ("after", snakemake.input.corrected),
    ):
        expression = anndata.read_h5ad(path)
        expression = expression[has_class(expression.obs)]
        points, explained[stage] = project(expression.X)
        labels = expression.obs[["study", "tissue", "disease_state"]].astype(str)
        tables[stage] = labels.assign(x=points[:, 0], y=points[:, 1])
    figure = principal_components(tables["before"], tables["after"], explained, page["names"])
    save(figure, snakemake.output.pca, simulated=page["simulated"])
    diagnostics = read_table(snakemake.input.diagnostics, text=["value"])
    figure = correction_diagnostics(diagnostics)
    save(figure, snakemake.output.diagnostics, simulated=page["simulated"])
