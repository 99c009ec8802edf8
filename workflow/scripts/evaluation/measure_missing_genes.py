"""Remove genes from validation and test samples and measure the loss of each head."""

from pathlib import Path

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import anndata
    from threadpoolctl import threadpool_limits
    from tissuestate.evaluation.chain import Chain
    from tissuestate.evaluation.missing_genes import gene_masks, missing_gene_curve
    from tissuestate.files import atomic
    from tissuestate.labels import encode, read_classes

    source = snakemake.input
    classes = read_classes(source.classes)
    cohort = anndata.read_h5ad(source.cohort)
    scored = cohort.obs["split"].isin(["validation", "test"]).to_numpy()
    folders = {Path(file).parent: None for file in (*source.multitask, *source.subtype)}
    chain = Chain.read(
        *(source[name] for name in ("normaliser", "imputation", "correction", "transformer")),
        source.novelty,
        folders,
    )
    units, obs = cohort.obs["unit"].astype(str)[scored].tolist(), cohort.obs[scored]
    with threadpool_limits(snakemake.threads):
        curve = missing_gene_curve(
            cohort.X[scored],
            {head: encode(obs[head].astype(str), classes[head]) for head in chain.heads},
            obs["split"].to_numpy(),
            classes,
            lambda values: chain.predict(values, units),
            gene_masks(chain.normaliser.reference_[None], snakemake.params.seed),
        )
    with atomic(snakemake.output.curve) as temporary:
        curve.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
