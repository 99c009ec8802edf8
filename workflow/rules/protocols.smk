# The models scored again on other splits: repeated cross-validation, leaks, samples from outside.


wildcard_constraints:
    protocol="[a-z]+",
    part="[A-Za-z0-9][A-Za-z0-9._-]*",


rule prepare_split:
    input:
        cohort="<results>/cohort/cohort.h5ad",
        recipe=RECIPE,
    output:
        temp(
            expand(
                "<results>/protocols/{{protocol}}/{{part}}/{features}.h5ad",
                features=PROTOCOL_FEATURES,
            )
        ),
    log:
        "<logs>/prepare_split/{protocol}.{part}.log",
    benchmark:
        "<benchmarks>/prepare_split/{protocol}.{part}.tsv"
    conda:
        "../../envs/sva.yaml"
    threads: 4
    resources:
        mem_mb=memory(2000, per_input=12),
        runtime=minutes(30, per_gb=240),
    params:
        code=code_digest("protocols/prepare_split.py"),
        kinds=PROTOCOL_FEATURES,
        folds=lookup("protocols/folds", within=config),
        validation=share_of_validation(),
        normalisation=lookup("normalisation", within=config),
        correction=lookup("correction", within=config),
        features=lookup("features", within=config),
        seed=lookup("seed", within=config),
    message:
        "Preparing the split {wildcards.protocol}, {wildcards.part}"
    script:
        "../scripts/protocols/prepare_split.py"


rule predict_split:
    input:
        features=expand(
            "<results>/protocols/{{protocol}}/{{part}}/{features}.h5ad", features=PROTOCOL_FEATURES
        ),
        classes="<results>/cohort/classes.json",
        hyperparameters=protocol_hyperparameters(),
    output:
        predictions="<results>/protocols/{protocol}/{part}/predictions.tsv.gz",
    log:
        "<logs>/predict_split/{protocol}.{part}.log",
    benchmark:
        "<benchmarks>/predict_split/{protocol}.{part}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, per_input=8),
        runtime=minutes(60, per_gb=600),
    params:
        code=code_digest("protocols/predict_split.py"),
        kinds=PROTOCOL_FEATURES,
        models=lookup("protocols/models", within=config),
        search=protocol_search(),
        epochs=lookup("training/epochs", within=config),
        recipe=lookup("training/recipe", within=config),
        device=lookup("device", within=config),
        seed=lookup("seed", within=config),
    message:
        "Training and predicting on the split {wildcards.protocol}, {wildcards.part}"
    script:
        "../scripts/protocols/predict_split.py"


rule assess_protocols:
    input:
        predictions=protocol_predictions(),
        classes="<results>/cohort/classes.json",
    output:
        crossvalidation="<results>/protocols/crossvalidation.tsv",
        leaks="<results>/protocols/leaks.tsv",
        outside="<results>/protocols/outside.tsv",
        outside_classes="<results>/protocols/outside_classes.tsv",
        outside_mistakes="<results>/protocols/outside_mistakes.tsv",
        outside_false_tumours="<results>/protocols/outside_false_tumours.tsv",
        page=report(
            "<results>/protocols/protocols.html",
            caption="../report/protocols.rst",
            category="6 Benchmark",
            labels=result_labels("Other donors, other studies"),
        ),
    log:
        "<logs>/assess_protocols.log",
    benchmark:
        "<benchmarks>/assess_protocols.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, per_input=200),
        runtime=minutes(60),
    params:
        code=code_digest("protocols/assess_protocols.py"),
        page=PAGE,
        resamples=lookup("evaluation/resamples", within=config),
        seed=lookup("seed", within=config),
        searched=lookup("protocols/evaluations", within=config),
    message:
        "Scoring the models on the other splits"
    script:
        "../scripts/protocols/assess_protocols.py"


rule protocols:
    input:
        protocol_tables(),
    message:
        "The models are scored on other splits"
