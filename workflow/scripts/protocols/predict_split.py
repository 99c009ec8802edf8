"""Train the models of the protocols on one split and call its test samples."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from tissuestate.files import atomic
    from tissuestate.h5ad import read_features
    from tissuestate.labels import read_classes
    from tissuestate.models.training import read_recipe
    from tissuestate.protocols.models import Training, predict_models, read_hyperparameters

    source, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    training = Training(
        hyperparameters=read_hyperparameters(source.get("hyperparameters", [])),
        search=params.search,
        epochs=params.epochs,
        recipe=read_recipe(params.recipe),
        seed=params.seed,
        device=params.device,
        threads=snakemake.threads,
    )
    features = {
        kind: read_features(path) for kind, path in zip(params.kinds, source.features, strict=True)
    }
    table = predict_models(features, params.models, read_classes(source.classes), training)
    with atomic(snakemake.output.predictions) as temporary:
        table.assign(protocol=wildcards.protocol, part=wildcards.part).to_csv(
            temporary, sep="\t", index=False, float_format="%.6g"
        )
