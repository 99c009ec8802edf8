"""Draw the figures that compare the models: balanced accuracy, time and memory."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.report.figures.benchmark import benchmark_bars, cost_bars
    from tissuestate.report.figures.style import save
    from tissuestate.report.summary import read_metrics
    from tissuestate.tables import read_table

    benchmark = read_table(snakemake.input.benchmark)
    metrics = read_metrics(snakemake.input.metrics)
    intervals = metrics.loc[
        metrics["metric"] == "balanced_accuracy", ["model", "head", "low", "high"]
    ]
    scored = benchmark.merge(intervals, on=["model", "head"], how="left")
    save(benchmark_bars(scored), snakemake.output.accuracy)
    save(cost_bars(benchmark), snakemake.output.cost)
