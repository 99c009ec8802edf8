"""Draw the figures of one model on test samples: confusion, areas under ROC curves, reliability."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.evaluation.predictions import read_predictions
    from tissuestate.labels import HEADS, read_classes
    from tissuestate.report.figures.confusion import confusion_matrices
    from tissuestate.report.figures.evaluation import class_areas, reliability
    from tissuestate.report.figures.style import save
    from tissuestate.report.wording import model_title
    from tissuestate.tables import read_table

    source, output, page = snakemake.input, snakemake.output, snakemake.params.page
    classes = read_classes(source.classes)
    heads = {head: classes[head] for head in HEADS}
    metrics, per_class = read_table(source.metrics), read_table(source.per_class)
    figures = {
        "confusion": confusion_matrices(read_table(source.confusion), heads, page["names"]),
        "auc": class_areas(per_class, metrics, heads, page["names"]),
        "reliability": reliability(read_predictions(source.predictions), classes),
    }
    model = model_title(snakemake.wildcards.model)
    for name, figure in figures.items():
        save(figure, output[name], of=model, simulated=page["simulated"])
