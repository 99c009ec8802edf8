"""Draw the figures that compare the models: balanced accuracy, time and memory."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from pathlib import Path

    from tissuestate.labels import TASKS
    from tissuestate.report.figures.benchmark import accuracy_dots, cost_dots
    from tissuestate.report.figures.models import kept_epoch
    from tissuestate.report.figures.style import save
    from tissuestate.report.summary import read_metrics
    from tissuestate.tables import read_table

    benchmark = read_table(snakemake.input.benchmark)
    metrics = read_metrics(snakemake.input.metrics)
    intervals = metrics.loc[
        metrics["metric"] == "balanced_accuracy", ["model", "head", "low", "high"]
    ]
    scored = benchmark.merge(intervals, on=["model", "head"], how="left")
    linear = {
        (head, "dl_" + features)
        for path in snakemake.input.histories
        for task, _, features in [Path(path).parent.name.partition(".")]
        for head in TASKS[task]
        if kept_epoch(read_table(path)) == 0
    }
    is_linear = [pair in linear for pair in zip(scored["head"], scored["model"], strict=True)]
    called_by, simulated = snakemake.params.called_by, snakemake.params.simulated
    accuracy = accuracy_dots(scored.assign(is_linear=is_linear), called_by)
    save(accuracy, snakemake.output.accuracy, simulated=simulated)
    save(cost_dots(benchmark, called_by), snakemake.output.cost, simulated=simulated)
