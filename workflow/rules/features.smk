# Features of the networks: principal components, the forest's best genes, or all genes.


rule extract_features:
    input:
        expression="<results>/expression/corrected.h5ad",
    output:
        # Constraints that distinguish rules stand in the path: elsewhere a storage loses them.
        features="<results>/features/{features,pca|rf|all}.h5ad",
        transformer="<results>/features/{features,pca|rf|all}.npz",
    log:
        "<logs>/extract_features/{features}.log",
    benchmark:
        "<benchmarks>/extract_features/{features}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 4
    resources:
        mem_mb=memory(2000, per_input=10),
        runtime=minutes(20, per_gb=60),
    params:
        code=code_digest("features/extract_features.py"),
        kind="{features}",
        settings=feature_settings,
        fit_on=lookup("fit_on", within=config),
    message:
        "Extracting features: {wildcards.features}"
    script:
        "../scripts/features/extract_features.py"


rule fit_novelty:
    input:
        features="<results>/features/{features}.h5ad",
    output:
        novelty="<results>/features/{features}.novelty.npz",
    log:
        "<logs>/fit_novelty/{features}.log",
    benchmark:
        "<benchmarks>/fit_novelty/{features}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000, per_input=6),
        runtime=minutes(10, per_gb=20),
    params:
        code=code_digest("features/fit_novelty.py"),
    message:
        "Measuring which samples are like none in training: {wildcards.features}"
    script:
        "../scripts/features/fit_novelty.py"


rule features:
    input:
        expand(
            "<results>/features/{features}.{file}",
            features=config["features"]["kinds"],
            file=["h5ad", "novelty.npz"],
        ),
    message:
        "The features are extracted"
