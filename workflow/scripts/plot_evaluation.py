"""Figures of one model on test samples: confusion, ROC, top-K, reliability."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    from tissuestate import plots
    from tissuestate.predictions import read_predictions
    from tissuestate.sheet import HEADS
    from tissuestate.tables import read_table
    from tissuestate.tasks import read_classes

    classes = read_classes(snakemake.input.classes)
    heads = {head: classes[head] for head in HEADS}
    confusion = read_table(snakemake.input.confusion)
    roc = read_table(snakemake.input.roc)
    metrics = read_table(snakemake.input.metrics)
    predictions = read_predictions(snakemake.input.predictions)
    plots.save(plots.confusion_matrices(confusion, heads), snakemake.output.confusion)
    plots.save(plots.roc_curves(roc, heads), snakemake.output.roc)
    plots.save(plots.top_k(metrics), snakemake.output.topk)
    plots.save(plots.reliability(predictions, classes), snakemake.output.reliability)
