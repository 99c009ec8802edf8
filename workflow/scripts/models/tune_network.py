"""Run one worker's share of a search in one round; continue it after an interruption."""

from pathlib import Path

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.models import search as tune
    from tissuestate.models.samples import read_task
    from tissuestate.models.training import read_recipe
    from tissuestate.models.trials import Journal, Schedule, read_trials, write_trials

    params = snakemake.params
    data = read_task(snakemake.input.features, snakemake.input.classes, params.task)
    share = {
        "numbers": Schedule(**params.schedule).numbers(int(params.round), int(params.worker)),
        "earlier": read_trials(snakemake.input.get("earlier", [])),
        "epochs": params.epochs,
        "seed": params.seed,
        "recipe": read_recipe(params.recipe),
    }
    journal = Journal(Path(params.journal), tune.fingerprint(data, params.space, **share))
    trials = tune.run_search(
        data,
        params.space,
        device=params.device,
        threads=snakemake.threads,
        journal=journal,
        **share,
    )
    write_trials(snakemake.output.trials, trials)
    journal.remove()
