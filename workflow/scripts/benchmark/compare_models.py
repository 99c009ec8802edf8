"""Compare every model with DL PCA on the same test samples."""

from pathlib import Path

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.benchmark.comparison import compare_predictions
    from tissuestate.evaluation.predictions import read_predictions
    from tissuestate.files import atomic
    from tissuestate.labels import read_classes

    paths = list(snakemake.input.predictions)
    samples = read_predictions(paths[0])["sample"].tolist()
    table = compare_predictions(
        {Path(path).parent.name: [read_predictions(path, samples)] for path in paths},
        read_classes(snakemake.input.classes),
        "dl_pca",
        resamples=snakemake.params.resamples,
        seed=snakemake.params.seed,
    )
    with atomic(snakemake.output.comparison) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
