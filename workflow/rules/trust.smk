# How far to trust a call: missing genes, samples unlike any in training, sets of classes, abstention.


rule fit_imputation:
    input:
        normalised="<results>/expression/normalised.h5ad",
    output:
        imputation="<results>/expression/imputation.npz",
    log:
        "<logs>/fit_imputation.log",
    benchmark:
        "<benchmarks>/fit_imputation.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000, per_input=6),
        runtime=minutes(10, per_gb=20),
    params:
        code=code_digest("fit_imputation.py"),
        fit_on=lookup("fit_on", within=config),
    script:
        "../scripts/fit_imputation.py"


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
        code=code_digest("fit_novelty.py"),
    script:
        "../scripts/fit_novelty.py"


rule measure_missing_genes:
    input:
        cohort="<results>/cohort/cohort.h5ad",
        normaliser="<results>/expression/normaliser.npz",
        imputation="<results>/expression/imputation.npz",
        correction="<results>/expression/correction.npz",
        transformer=transformer_of,
        novelty=novelty_of,
        multitask=networks_of("multitask"),
        subtype=networks_of("subtype"),
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
        code=code_digest("measure_missing_genes.py"),
        seed=lookup("seed", within=config),
    script:
        "../scripts/measure_missing_genes.py"


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
        code=code_digest("evaluate_trust.py"),
        resamples=lookup("evaluation/resamples", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/evaluate_trust.py"


rule plot_trust:
    input:
        sets="<results>/evaluation/{model}/sets.tsv",
        abstention="<results>/evaluation/{model}/abstention.tsv",
        novelty="<results>/evaluation/{model}/novelty.tsv",
        missing="<results>/evaluation/{model}/missing_genes.tsv",
    output:
        sets=figure("trust/{model}.sets", "5 Evaluation"),
        abstention=figure("trust/{model}.abstention", "5 Evaluation"),
        novelty=figure("trust/{model}.novelty", "5 Evaluation"),
        missing=figure("trust/{model}.missing", "5 Evaluation"),
    log:
        "<logs>/plot_trust/{model}.log",
    benchmark:
        "<benchmarks>/plot_trust/{model}.tsv"
    wildcard_constraints:
        model="dl_[a-z]+",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_digest("plot_trust.py"),
    script:
        "../scripts/plot_trust.py"
