"""Figures of one model on test samples: confusion, ROC, top-K, reliability."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd
    from tissuestate import plots
    from tissuestate.evaluate import read_predictions
    from tissuestate.sheet import HEADS
    from tissuestate.tasks import read_classes

    classes = read_classes(snakemake.input.classes)
    heads = {head: classes[head] for head in HEADS}
    confusion = pd.read_csv(snakemake.input.confusion, sep="\t", keep_default_na=False)
    roc = pd.read_csv(snakemake.input.roc, sep="\t")
    metrics = pd.read_csv(snakemake.input.metrics, sep="\t")
    predictions = read_predictions(snakemake.input.predictions)
    plots.save(plots.confusion_matrices(confusion, heads), snakemake.output.confusion)
    plots.save(plots.roc_curves(roc, heads), snakemake.output.roc)
    plots.save(plots.top_k(metrics), snakemake.output.topk)
    plots.save(plots.reliability(predictions, classes), snakemake.output.reliability)
