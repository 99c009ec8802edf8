# Normalisation and batch correction: fitted on training samples, frozen for the rest.


rule normalise_expression:
    input:
        cohort="<results>/cohort/cohort.h5ad",
        recipe=RECIPE,
    output:
        normalised="<results>/expression/normalised.h5ad",
        normaliser="<results>/expression/normaliser.npz",
        imputation="<results>/expression/imputation.npz",
    log:
        "<logs>/normalise_expression.log",
    benchmark:
        "<benchmarks>/normalise_expression.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000, per_input=7),
        runtime=minutes(10, per_gb=30),
    params:
        code=code_digest("expression/normalise_expression.py"),
        method=lookup("normalisation", within=config),
        fit_on=lookup("fit_on", within=config),
    message:
        "Normalising expression"
    script:
        "../scripts/expression/normalise_expression.py"


rule correct_expression:
    input:
        normalised="<results>/expression/normalised.h5ad",
        recipe=RECIPE,
    output:
        corrected="<results>/expression/corrected.h5ad",
        correction="<results>/expression/correction.npz",
        diagnostics=report(
            "<results>/expression/diagnostics.tsv",
            caption="../report/diagnostics.rst",
            category="3 Correction",
            labels=result_labels("Batch effect and biology (table)"),
        ),
    log:
        "<logs>/correct_expression.log",
    benchmark:
        "<benchmarks>/correct_expression.tsv"
    conda:
        "../../envs/sva.yaml"
    threads: 4
    resources:
        mem_mb=memory(2000, per_input=10),
        runtime=minutes(20, per_gb=120),
    params:
        code=code_digest("expression/correct_expression.py"),
        method=lookup("correction/method", within=config),
        n_sv=lookup("correction/n_sv", within=config),
        design=lookup("correction/design", within=config),
        engine=lookup("correction/engine", within=config),
        fit_on=lookup("fit_on", within=config),
        seed=lookup("seed", within=config),
    message:
        "Correcting expression for differences between studies"
    script:
        "../scripts/expression/correct_expression.py"


rule expression:
    input:
        "<results>/expression/corrected.h5ad",
    message:
        "Expression is normalised and corrected"
