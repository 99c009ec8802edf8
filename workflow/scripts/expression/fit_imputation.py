"""Fit the model that estimates the missing genes of new samples, on training samples."""

from tissuestate.arrays import save_arrays
from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import anndata
    from threadpoolctl import threadpool_limits
    from tissuestate.expression.imputation import ConditionalMean
    from tissuestate.labels import rows_to_fit

    data = anndata.read_h5ad(snakemake.input.normalised)
    fitted = rows_to_fit(data.obs["split"], snakemake.params.fit_on)
    with threadpool_limits(snakemake.threads):
        imputation = ConditionalMean().fit(data.X[fitted])
    save_arrays(snakemake.output.imputation, imputation.to_arrays())
