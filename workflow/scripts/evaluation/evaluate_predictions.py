"""Score one model's predictions on the test samples."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.evaluation.predictions import read_predictions
    from tissuestate.evaluation.scores import count_confusions, roc_points, score_predictions
    from tissuestate.files import atomic
    from tissuestate.labels import read_classes

    predictions = read_predictions(snakemake.input.predictions)
    classes = read_classes(snakemake.input.classes)
    metrics, per_class = score_predictions(
        predictions, classes, resamples=snakemake.params.resamples, seed=snakemake.params.seed
    )
    tables = {
        snakemake.output.metrics: metrics,
        snakemake.output.per_class: per_class,
        snakemake.output.confusion: count_confusions(predictions, classes),
        snakemake.output.roc: roc_points(predictions, classes),
    }
    for path, table in tables.items():
        with atomic(path) as temporary:
            table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
