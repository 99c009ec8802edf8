"""Fit the model that estimates the missing genes of new samples, on training samples."""

from tissuestate.arrays import save_arrays
from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import anndata
    from threadpoolctl import threadpool_limits
    from tissuestate.expression.imputation import ConditionalMean

    data = anndata.read_h5ad(snakemake.input.normalised)
    fitted = (data.obs["split"] == "train").to_numpy() | (snakemake.params.fit_on == "all")
    with threadpool_limits(snakemake.threads):
        imputation = ConditionalMean().fit(data.X[fitted])
    save_arrays(snakemake.output.imputation, imputation.to_arrays())
