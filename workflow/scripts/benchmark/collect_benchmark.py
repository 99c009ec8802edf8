"""Collect the scores and costs of all models in one table."""

from pathlib import Path

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.benchmark.table import tabulate_benchmark
    from tissuestate.files import atomic
    from tissuestate.models.cost import read_cost
    from tissuestate.tables import read_table

    models = [Path(path).parent.name for path in snakemake.input.metrics]
    table = tabulate_benchmark(
        {m: read_table(path) for m, path in zip(models, snakemake.input.metrics, strict=True)},
        {m: read_cost(path) for m, path in zip(models, snakemake.input.costs, strict=True)},
    )
    with atomic(snakemake.output.benchmark) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
