"""Figures of the correction: principal components and batch effect, before and after."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import anndata
    from tissuestate import plots
    from tissuestate.tables import read_table

    tables, explained = {}, {}
    for stage, path in (
        ("before", snakemake.input.normalised),
        ("after", snakemake.input.corrected),
    ):
        expression = anndata.read_h5ad(path)
        points, explained[stage] = plots.project(expression.X)
        labels = expression.obs[["study", "tissue", "disease_state"]].astype(str)
        tables[stage] = labels.assign(x=points[:, 0], y=points[:, 1])
    figure = plots.principal_components(tables["before"], tables["after"], explained)
    plots.save(figure, snakemake.output.pca)
    diagnostics = read_table(snakemake.input.diagnostics, text=["value"])
    plots.save(plots.correction_diagnostics(diagnostics), snakemake.output.diagnostics)
