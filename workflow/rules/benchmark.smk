# The networks against classical models: balanced accuracy, time and memory.


BASELINES = "|".join(config["benchmark"]["models"]) or "none"


rule fit_baseline:
    input:
        features=features_of,
        classes="<results>/cohort/classes.json",
    output:
        predictions=f"<results>/evaluation/{{model,{BASELINES}}}/predictions.tsv",
        cost=f"<results>/evaluation/{{model,{BASELINES}}}/cost.json",
    log:
        "<logs>/fit_baseline/{model}.log",
    benchmark:
        "<benchmarks>/fit_baseline/{model}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 4
    resources:
        mem_mb=memory(2000, per_input=8),
        runtime=minutes(60, per_gb=600),
    params:
        code=code_digest("benchmark/fit_baseline.py"),
        model="{model}",
        seed=lookup("seed", within=config),
    message:
        "Training {wildcards.model} to compare with"
    script:
        "../scripts/benchmark/fit_baseline.py"


rule collect_benchmark:
    input:
        metrics=expand("<results>/evaluation/{model}/metrics.tsv", model=MODELS),
        costs=expand("<results>/evaluation/{model}/cost.json", model=MODELS),
    output:
        benchmark=report(
            "<results>/benchmark/benchmark.tsv",
            caption="../report/benchmark.rst",
            category="6 Benchmark",
            labels=result_labels("Every model (table)"),
        ),
    log:
        "<logs>/collect_benchmark.log",
    benchmark:
        "<benchmarks>/collect_benchmark.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_digest("benchmark/collect_benchmark.py"),
    message:
        "Collecting accuracy, time and memory of every model"
    script:
        "../scripts/benchmark/collect_benchmark.py"


rule compare_models:
    input:
        predictions=expand("<results>/evaluation/{model}/predictions.tsv", model=MODELS),
        classes="<results>/cohort/classes.json",
    output:
        comparison=report(
            "<results>/benchmark/comparison.tsv",
            caption="../report/comparison.rst",
            category="6 Benchmark",
            labels=result_labels("Every model beside DL PCA (table)"),
        ),
    log:
        "<logs>/compare_models.log",
    benchmark:
        "<benchmarks>/compare_models.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(20),
    params:
        code=code_digest("benchmark/compare_models.py"),
        resamples=lookup("evaluation/resamples", within=config),
        seed=lookup("seed", within=config),
    message:
        "Comparing every model with the networks on the same test samples"
    script:
        "../scripts/benchmark/compare_models.py"


rule benchmark:
    input:
        "<results>/benchmark/benchmark.tsv",
        "<results>/benchmark/comparison.tsv",
    message:
        "The models are compared"
