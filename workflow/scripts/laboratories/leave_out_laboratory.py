"""Score a laboratory's samples by models fitted without it, one for each candidate recipe."""

from tissuestate.arrays import save_arrays
from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import anndata
    from threadpoolctl import threadpool_limits
    from tissuestate.labels import read_classes
    from tissuestate.laboratories.left_out import candidates, score_left_out

    params = snakemake.params
    cohort = anndata.read_h5ad(snakemake.input.cohort)
    classes = read_classes(snakemake.input.classes)
    with threadpool_limits(snakemake.threads):
        samples, scores = score_left_out(
            cohort,
            params.laboratory,
            classes,
            candidates(params.normalisation, params.correction),
            correction=params.correction,
            seed=params.seed,
        )
    print(f"{params.laboratory}: {len(samples)} samples scored with {', '.join(scores)}")
    arrays = {
        f"{name}|{question}": values
        for name, own in scores.items()
        for question, values in own.items()
    }
    save_arrays(snakemake.output.scores, {"samples": samples.to_numpy(str), **arrays})
