"""Figures that compare the models: balanced accuracy with its interval, time and memory."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import pandas as pd
    from tissuestate import plots
    from tissuestate.report import read_metrics

    benchmark = pd.read_csv(snakemake.input.benchmark, sep="\t")
    metrics = read_metrics(snakemake.input.metrics)
    intervals = metrics.loc[
        metrics["metric"] == "balanced_accuracy", ["model", "head", "low", "high"]
    ]
    scored = benchmark.merge(intervals, on=["model", "head"], how="left")
    plots.save(plots.benchmark_bars(scored), snakemake.output.accuracy)
    plots.save(plots.cost_bars(benchmark), snakemake.output.cost)
