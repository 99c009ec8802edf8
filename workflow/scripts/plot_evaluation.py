"""Figures of one model on test samples: confusion, ROC, top-K, reliability."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import json
    from pathlib import Path

    import pandas as pd
    from tissuestate import plots

    table = json.loads(Path(snakemake.input.classes).read_text(encoding="utf-8"))
    classes = {head: table[head] for head in ("disease_state", "tissue", "subtype")}
    confusion = pd.read_csv(snakemake.input.confusion, sep="\t", keep_default_na=False)
    roc = pd.read_csv(snakemake.input.roc, sep="\t")
    metrics = pd.read_csv(snakemake.input.metrics, sep="\t")
    predictions = pd.read_csv(snakemake.input.predictions, sep="\t", dtype={"sample": str})
    plots.save(plots.confusion_matrices(confusion, classes), snakemake.output.confusion)
    plots.save(plots.roc_curves(roc, classes), snakemake.output.roc)
    plots.save(plots.top_k(metrics), snakemake.output.topk)
    plots.save(plots.reliability(predictions, classes), snakemake.output.reliability)
