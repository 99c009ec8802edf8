"""Figures of the correction: principal components and batch effect, before and after."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import anndata
    import pandas as pd
    from tissuestate import plots

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
    diagnostics = pd.read_csv(snakemake.input.diagnostics, sep="\t")
    plots.save(plots.correction_diagnostics(diagnostics), snakemake.output.diagnostics)
