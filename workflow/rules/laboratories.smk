# The judge of a cohort of many laboratories: each is left out, scored, and calibrated on.


rule leave_out_laboratory:
    input:
        cohort="<results>/cohort/cohort.h5ad",
        classes="<results>/cohort/classes.json",
    output:
        scores="<results>/laboratories/left_out/{laboratory}.npz",
    log:
        "<logs>/leave_out_laboratory/{laboratory}.log",
    benchmark:
        "<benchmarks>/leave_out_laboratory/{laboratory}.tsv"
    conda:
        "../../envs/sva.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000, per_input=14),
        runtime=minutes(20, per_gb=120),
    params:
        code=code_digest("laboratories/leave_out_laboratory.py"),
        laboratory="{laboratory}",
        normalisation=lookup("normalisation", within=config),
        correction=lookup("correction", within=config),
        seed=lookup("seed", within=config),
    message:
        "Calling samples of {wildcards.laboratory} by models trained without them"
    script:
        "../scripts/laboratories/leave_out_laboratory.py"


rule choose_recipe:
    input:
        scores=expand("<results>/laboratories/left_out/{laboratory}.npz", laboratory=LEFT_OUT),
        cohort="<results>/cohort/cohort.h5ad",
        classes="<results>/cohort/classes.json",
    output:
        recipe="<results>/laboratories/recipe.json",
        candidates=report(
            "<results>/laboratories/candidates.tsv",
            caption="../report/candidates.rst",
            category="5 Evaluation",
            labels=result_labels("Recipes compared (table)"),
        ),
        calls="<results>/laboratories/calls.tsv",
        scores=report(
            "<results>/laboratories/scores.tsv",
            caption="../report/left_out_scores.rst",
            category="5 Evaluation",
            labels=result_labels("Scores on laboratories left out (table)"),
        ),
    log:
        "<logs>/choose_recipe.log",
    benchmark:
        "<benchmarks>/choose_recipe.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(20),
    params:
        code=code_digest("laboratories/choose_recipe.py"),
        normalisation=lookup("normalisation", within=config),
        correction=lookup("correction", within=config),
    message:
        "Choosing the recipe that is best on laboratories left out"
    script:
        "../scripts/laboratories/choose_recipe.py"


rule fit_ridge:
    input:
        features="<results>/features/all.h5ad",
        classes="<results>/cohort/classes.json",
        recipe="<results>/laboratories/recipe.json",
    output:
        ridge="<results>/laboratories/ridge.npz",
        predictions="<results>/evaluation/ridge/predictions.tsv",
        calibration="<results>/evaluation/ridge/calibration.json",
        cost="<results>/evaluation/ridge/cost.json",
    log:
        "<logs>/fit_ridge.log",
    benchmark:
        "<benchmarks>/fit_ridge.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000, per_input=8),
        runtime=minutes(20, per_gb=60),
    params:
        code=code_digest("laboratories/fit_ridge.py"),
    message:
        "Fitting ridge regression"
    script:
        "../scripts/laboratories/fit_ridge.py"


rule evaluate_ridge:
    input:
        cohort="<results>/cohort/cohort.h5ad",
        classes="<results>/cohort/classes.json",
        normaliser="<results>/expression/normaliser.npz",
        imputation="<results>/expression/imputation.npz",
        correction="<results>/expression/correction.npz",
        transformer="<results>/features/all.npz",
        ridge="<results>/laboratories/ridge.npz",
        predictions="<results>/evaluation/ridge/predictions.tsv",
        calibration="<results>/evaluation/ridge/calibration.json",
    output:
        sets="<results>/evaluation/ridge/sets.tsv",
        abstention="<results>/evaluation/ridge/abstention.tsv",
        novelty="<results>/evaluation/ridge/novelty.tsv",
        missing="<results>/evaluation/ridge/missing_genes.tsv",
    log:
        "<logs>/evaluate_ridge.log",
    benchmark:
        "<benchmarks>/evaluate_ridge.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000, per_input=8),
        runtime=minutes(20, per_gb=120),
    params:
        code=code_digest("laboratories/evaluate_ridge.py"),
        resamples=lookup("evaluation/resamples", within=config),
        seed=lookup("seed", within=config),
    message:
        "Measuring how far the calls of ridge regression can be trusted"
    script:
        "../scripts/laboratories/evaluate_ridge.py"


rule laboratories:
    input:
        expand(
            "<results>/laboratories/{file}",
            file=["recipe.json", "scores.tsv", "ridge.npz"] if LEFT_OUT else [],
        ),
    message:
        "The calls of laboratories left out are scored"
