# Accuracy of calls and trust in each: metrics, missing genes, sets of classes, abstention.


rule predict_network:
    input:
        features=features_of,
        classes="<results>/cohort/classes.json",
        multitask=network_files_of("multitask"),
        subtype=network_files_of("subtype"),
        costs=costs_of_networks,
    output:
        predictions="<results>/evaluation/{model,dl_[a-z]+}/predictions.tsv",
        calibration="<results>/evaluation/{model,dl_[a-z]+}/calibration.json",
        cost="<results>/evaluation/{model,dl_[a-z]+}/cost.json",
    log:
        "<logs>/predict_network/{model}.log",
    benchmark:
        "<benchmarks>/predict_network/{model}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000, per_input=4),
        runtime=minutes(20),
    params:
        code=code_digest("evaluation/predict_network.py"),
    message:
        "Predicting validation and test samples with {wildcards.model}"
    script:
        "../scripts/evaluation/predict_network.py"


rule evaluate_predictions:
    input:
        predictions="<results>/evaluation/{model}/predictions.tsv",
        classes="<results>/cohort/classes.json",
    output:
        metrics="<results>/evaluation/{model}/metrics.tsv",
        per_class="<results>/evaluation/{model}/per_class.tsv",
        confusion="<results>/evaluation/{model}/confusion.tsv",
        roc="<results>/evaluation/{model}/roc.tsv",
    log:
        "<logs>/evaluate_predictions/{model}.log",
    benchmark:
        "<benchmarks>/evaluate_predictions/{model}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(20),
    params:
        code=code_digest("evaluation/evaluate_predictions.py"),
        resamples=lookup("evaluation/resamples", within=config),
        seed=lookup("seed", within=config),
    message:
        "Scoring {wildcards.model} on test samples"
    script:
        "../scripts/evaluation/evaluate_predictions.py"


rule measure_missing_genes:
    input:
        cohort="<results>/cohort/cohort.h5ad",
        normaliser="<results>/expression/normaliser.npz",
        imputation="<results>/expression/imputation.npz",
        correction="<results>/expression/correction.npz",
        transformer=transformer_of,
        novelty=novelty_of,
        multitask=network_files_of("multitask"),
        subtype=network_files_of("subtype"),
        classes="<results>/cohort/classes.json",
    output:
        curve="<results>/evaluation/{model}/missing_genes.tsv",
    log:
        "<logs>/measure_missing_genes/{model}.log",
    benchmark:
        "<benchmarks>/measure_missing_genes/{model}.tsv"
    wildcard_constraints:
        model="dl_[a-z]+",
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000, per_input=6),
        runtime=minutes(20, per_gb=120),
    params:
        code=code_digest("evaluation/measure_missing_genes.py"),
        seed=lookup("seed", within=config),
    message:
        "Measuring the calls of {wildcards.model} when genes are missing"
    script:
        "../scripts/evaluation/measure_missing_genes.py"


rule evaluate_trust:
    input:
        predictions="<results>/evaluation/{model}/predictions.tsv",
        calibration="<results>/evaluation/{model}/calibration.json",
        features=features_of,
        novelty=novelty_of,
        classes="<results>/cohort/classes.json",
    output:
        sets="<results>/evaluation/{model}/sets.tsv",
        abstention="<results>/evaluation/{model}/abstention.tsv",
        novelty="<results>/evaluation/{model}/novelty.tsv",
    log:
        "<logs>/evaluate_trust/{model}.log",
    benchmark:
        "<benchmarks>/evaluate_trust/{model}.tsv"
    wildcard_constraints:
        model="dl_[a-z]+",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, per_input=4),
        runtime=minutes(10),
    params:
        code=code_digest("evaluation/evaluate_trust.py"),
        resamples=lookup("evaluation/resamples", within=config),
        seed=lookup("seed", within=config),
    message:
        "Measuring how far the calls of {wildcards.model} can be trusted"
    script:
        "../scripts/evaluation/evaluate_trust.py"


rule evaluation:
    input:
        expand("<results>/evaluation/{model}/metrics.tsv", model=MODELS),
        expand(
            "<results>/evaluation/{model}/{table}.tsv",
            model=BUNDLED,
            table=["sets", "missing_genes"],
        ),
    message:
        "Every model is scored on test samples"
