"""Train one network with the hyper-parameters that tuning chose."""

import json
from pathlib import Path

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.files import atomic
    from tissuestate.models.cost import peak_memory_mb, write_cost
    from tissuestate.models.network import save_network
    from tissuestate.models.samples import read_task
    from tissuestate.models.training import Hyperparameters, fit_task, read_recipe

    params, output = snakemake.params, snakemake.output
    data = read_task(snakemake.input.features, snakemake.input.classes, params.task)
    chosen = json.loads(Path(snakemake.input.hyperparameters).read_text(encoding="utf-8"))
    trained = fit_task(
        data,
        Hyperparameters.from_dict(chosen),
        epochs=params.epochs,
        seed=params.seed,
        recipe=read_recipe(params.recipe),
        device=params.device,
        threads=snakemake.threads,
    )
    about = {"task": params.task, "best_epoch": trained.best_epoch, "hyperparameters": chosen}
    save_network(Path(output.weights).parent, trained.network, **about)
    with atomic(output.history) as temporary:
        trained.history.to_csv(temporary, sep="\t", index=False)
    write_cost(output.cost, fit_seconds=trained.fit_seconds, peak_memory_mb=peak_memory_mb())
