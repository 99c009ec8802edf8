"""Draw the figures of one model on test samples: confusion, ROC, top-K, reliability."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.evaluation.predictions import read_predictions
    from tissuestate.labels import HEADS, read_classes
    from tissuestate.report.figures.evaluation import (
        confusion_matrices,
        reliability,
        roc_curves,
        top_k,
    )
    from tissuestate.report.figures.style import save
    from tissuestate.tables import read_table

    classes = read_classes(snakemake.input.classes)
    heads = {head: classes[head] for head in HEADS}
    confusion = read_table(snakemake.input.confusion)
    roc = read_table(snakemake.input.roc)
    metrics = read_table(snakemake.input.metrics)
    predictions = read_predictions(snakemake.input.predictions)
    save(confusion_matrices(confusion, heads), snakemake.output.confusion)
    save(roc_curves(roc, heads), snakemake.output.roc)
    save(top_k(metrics), snakemake.output.topk)
    save(reliability(predictions, classes), snakemake.output.reliability)
