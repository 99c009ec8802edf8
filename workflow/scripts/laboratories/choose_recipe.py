"""Choose a recipe by the laboratories left out, calibrate it on them, and score its calls there."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import json

    import anndata
    import pandas as pd
    from tissuestate.evaluation.outside import score_outside
    from tissuestate.files import atomic
    from tissuestate.labels import BACKGROUND, read_classes
    from tissuestate.laboratories import choice
    from tissuestate.laboratories.left_out import candidates, read_scores
    from tissuestate.tables import plain_labels

    source, output, params = snakemake.input, snakemake.output, snakemake.params
    obs = plain_labels(anndata.read_h5ad(source.cohort, backed="r").obs)
    classes = read_classes(source.classes)
    tried = {one.name: one for one in candidates(params.normalisation, params.correction)}
    samples, scores = read_scores(source.scores, list(tried))
    supported = choice.is_supported(obs.loc[samples], obs[obs["split"] == "train"])
    labels = obs.loc[samples][supported]
    scores = {
        name: {question: values[supported] for question, values in own.items()}
        for name, own in scores.items()
    }
    print(f"{len(samples) - len(labels)} samples left out are of what no other laboratory trains")
    losses = {name: choice.left_out_loss(own, labels, classes) for name, own in scores.items()}
    best = min(losses, key=lambda name: losses[name])
    print(f"{best} is chosen: the least loss in laboratories left out, {losses[best]:.4f}")
    training = obs[obs["split"] != BACKGROUND]
    judgement = choice.judge(scores[best], labels, classes, training)
    calls = choice.call_left_out(scores[best], labels, classes, training)
    recipe = {
        "normalisation": tried[best].normalisation,
        "correction": {"method": tried[best].correction, "n_sv": tried[best].n_sv},
        "calibration": judgement.calibration.to_dict(),
        "sets": judgement.sets.to_dict(),
        "confounded_subtypes": judgement.confounded,
    }
    with atomic(output.recipe) as temporary:
        temporary.write_text(json.dumps(recipe, indent=2) + "\n", encoding="utf-8")
    kept = choice.left_out_labels(labels)
    tables = {
        output.candidates: pd.DataFrame(
            {"candidate": list(losses), "loss": list(losses.values())}
        ).assign(chosen=lambda table: table["candidate"] == best),
        output.scores: score_outside(calls, kept, classes),
        output.calls: calls.join(kept.drop(columns="doubt"), rsuffix="_true")
        .rename_axis("sample")
        .reset_index(),
    }
    for path, table in tables.items():
        with atomic(path) as temporary:
            table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
