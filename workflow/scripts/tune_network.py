"""Search the hyper-parameters of one network; an interrupted search goes on where it stopped."""

import json
from pathlib import Path

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    from tissuestate import tune
    from tissuestate.files import atomic
    from tissuestate.tasks import read_task
    from tissuestate.train import read_recipe

    params = snakemake.params
    data = read_task(snakemake.input.features, snakemake.input.classes, params.task)
    settings = {
        "epochs": params.epochs,
        "seed": params.seed,
        "recipe": read_recipe(params.get("recipe", "paper")),
    }
    mark = tune.fingerprint(data, params.space, **settings)
    journal = tune.Journal(Path(params.journal), mark)
    history = tune.search(
        data,
        params.space,
        evaluations=params.evaluations,
        device=params.device,
        threads=snakemake.threads,
        journal=journal,
        **settings,
    )
    best = tune.best(history)
    tune.write_trials(snakemake.output.trials, history)
    with atomic(snakemake.output.hyperparameters) as temporary:
        temporary.write_text(json.dumps(best.parameters, indent=2) + "\n")
    journal.remove()
