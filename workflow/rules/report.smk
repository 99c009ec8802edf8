# Figures, the paper's numbers beside those of this run, and the summary of the report.


rule plot_integrity:
    input:
        mrin="<results>/integrity/mrin.tsv",
        coverage="<results>/integrity/coverage.tsv",
        gis="<results>/integrity/gis.tsv",
        qc="<results>/quality/samples.tsv",
    output:
        mrin=figure("integrity/mrin.svg", "1 Quality", "RNA integrity (mRIN)"),
        coverage=figure("integrity/coverage.png", "1 Quality", "Coverage along transcripts"),
        gis=figure("integrity/gis.svg", "1 Quality", "Gene integrity score"),
    log:
        "<logs>/plot_integrity.log",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        code=code_digest("report/plot_integrity.py"),
        simulated=PAGE["simulated"],
        min_mrin=lookup("quality/min_mrin", within=config),
    message:
        "Drawing RNA integrity"
    script:
        "../scripts/report/plot_integrity.py"


rule plot_expression:
    input:
        normalised="<results>/expression/normalised.h5ad",
        corrected="<results>/expression/corrected.h5ad",
        diagnostics="<results>/expression/diagnostics.tsv",
    output:
        pca=figure("expression/pca.png", "3 Correction", "Samples on principal components"),
        diagnostics=figure("expression/diagnostics.svg", "3 Correction", "Batch effect and biology"),
    log:
        "<logs>/plot_expression.log",
    benchmark:
        "<benchmarks>/plot_expression.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000, per_input=4),
        runtime=minutes(20),
    params:
        code=code_digest("report/plot_expression.py"),
        page=PAGE,
    message:
        "Drawing expression before and after the correction"
    script:
        "../scripts/report/plot_expression.py"


rule plot_training:
    input:
        history="<results>/models/{task}.{features}/history.tsv",
        trials="<results>/models/{task}.{features}/trials.jsonl",
    output:
        learning=figure("training/{task}.{features}.learning.svg", "4 Training", "Learning curves"),
        tuning=figure(
            "training/{task}.{features}.tuning.svg", "4 Training", "Search for hyper-parameters"
        ),
    log:
        "<logs>/plot_training/{task}.{features}.log",
    benchmark:
        "<benchmarks>/plot_training/{task}.{features}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_digest("report/plot_training.py"),
        simulated=PAGE["simulated"],
    message:
        "Drawing search and training of {wildcards.task}.{wildcards.features}"
    script:
        "../scripts/report/plot_training.py"


rule plot_evaluation:
    input:
        predictions="<results>/evaluation/{model}/predictions.tsv",
        metrics="<results>/evaluation/{model}/metrics.tsv",
        confusion="<results>/evaluation/{model}/confusion.tsv",
        per_class="<results>/evaluation/{model}/per_class.tsv",
        classes="<results>/cohort/classes.json",
    output:
        confusion=figure("evaluation/{model}.confusion.svg", "5 Evaluation", "Classes called"),
        auc=figure("evaluation/{model}.auc.svg", "5 Evaluation", "Area under the ROC curve"),
        reliability=figure("evaluation/{model}.reliability.svg", "5 Evaluation", "Reliability"),
    log:
        "<logs>/plot_evaluation/{model}.log",
    benchmark:
        "<benchmarks>/plot_evaluation/{model}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_digest("report/plot_evaluation.py"),
        page=PAGE,
    message:
        "Drawing the results of {wildcards.model}"
    script:
        "../scripts/report/plot_evaluation.py"


rule plot_benchmark:
    input:
        benchmark="<results>/benchmark/benchmark.tsv",
        metrics=expand("<results>/evaluation/{model}/metrics.tsv", model=MODELS),
        histories=expand(
            "<results>/models/{task}.{features}/history.tsv",
            task=TASKS,
            features=config["features"]["kinds"],
        ),
    output:
        accuracy=figure("benchmark/accuracy.svg", "6 Benchmark", "Balanced accuracy"),
        cost=figure("benchmark/cost.svg", "6 Benchmark", "Time and memory"),
    log:
        "<logs>/plot_benchmark.log",
    benchmark:
        "<benchmarks>/plot_benchmark.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_digest("report/plot_benchmark.py"),
        called_by=BUNDLED,
        simulated=PAGE["simulated"],
    message:
        "Drawing the comparison of models"
    script:
        "../scripts/report/plot_benchmark.py"


rule compare_paper:
    input:
        cohort="<results>/cohort/cohort.h5ad",
        hyperparameters=expand("<results>/models/{task}.pca/hyperparameters.json", task=TASKS),
        metrics="<results>/evaluation/dl_pca/metrics.tsv",
        per_class="<results>/evaluation/dl_pca/per_class.tsv",
        comparison="<results>/benchmark/comparison.tsv",
        benchmark="<results>/benchmark/benchmark.tsv",
        leaks="<results>/protocols/leaks.tsv" if protocol_predictions() else [],
        paper=packaged_path("resources/paper_results.tsv"),
    output:
        table=report(
            "<results>/report/paper.tsv",
            caption="../report/paper.rst",
            category="5 Evaluation",
            labels=result_labels("The paper beside this run (table)"),
        ),
        html=report(
            "<results>/report/paper.html",
            caption="../report/paper.rst",
            category="5 Evaluation",
            labels=result_labels("The paper beside this run"),
        ),
    log:
        "<logs>/compare_paper.log",
    benchmark:
        "<benchmarks>/compare_paper.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        code=code_digest("report/compare_paper.py"),
        page=PAGE,
        config=bundle_config(),
    message:
        "Comparing the results with the paper's"
    script:
        "../scripts/report/compare_paper.py"


rule summarise_run:
    input:
        **left_out_results(),
        qc="<results>/quality/samples.tsv" if FROM_READS else [],
        genes="<results>/cohort/genes.tsv",
        sex="<results>/cohort/sex.tsv",
        cohort="<results>/cohort/cohort.h5ad",
        diagnostics="<results>/expression/diagnostics.tsv",
        classes="<results>/cohort/classes.json",
        metrics=expand("<results>/evaluation/{model}/metrics.tsv", model=MODELS),
        confusion=f"<results>/evaluation/{BUNDLED}/confusion.tsv",
        matrix=f"<results>/report/figures/evaluation/{BUNDLED}.confusion.svg",
        comparison="<results>/benchmark/comparison.tsv",
        sets=f"<results>/evaluation/{BUNDLED}/sets.tsv",
        abstention=f"<results>/evaluation/{BUNDLED}/abstention.tsv",
        protocols=protocol_tables(),
        truth="results/demo/truth_samples.tsv" if DEMO else [],
    output:
        html=report(
            "<results>/report/summary.html",
            caption="../report/summary.rst",
            category="0 Summary",
            labels=result_labels("Summary"),
        ),
        table="<results>/report/summary.tsv",
    log:
        "<logs>/summarise_run.log",
    benchmark:
        "<benchmarks>/summarise_run.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        code=code_digest("report/summarise_run.py"),
        page=PAGE,
        called=BUNDLED,
        links=lambda wildcards: pages_of_run(),
    message:
        "Writing the summary of the run"
    script:
        "../scripts/report/summarise_run.py"


rule describe_laboratories:
    input:
        **left_out_results(),
        cohort="<results>/cohort/cohort.h5ad",
        classes="<results>/cohort/classes.json",
    output:
        html=report(
            "<results>/report/laboratories.html",
            caption="../report/laboratories.rst",
            category="5 Evaluation",
            labels=result_labels("Laboratories left out"),
        ),
    log:
        "<logs>/describe_laboratories.log",
    benchmark:
        "<benchmarks>/describe_laboratories.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        code=code_digest("report/describe_laboratories.py"),
        page=PAGE,
    message:
        "Writing the page on laboratories left out"
    script:
        "../scripts/report/describe_laboratories.py"


rule plot_trust:
    input:
        sets="<results>/evaluation/{model}/sets.tsv",
        answers="<results>/evaluation/{model}/abstention.tsv",
        novelty="<results>/evaluation/{model}/novelty.tsv",
        missing="<results>/evaluation/{model}/missing_genes.tsv",
    output:
        sets=figure("trust/{model}.sets.svg", "5 Evaluation", "90 % sets"),
        answers=figure("trust/{model}.answers.svg", "5 Evaluation", "Wrong answers"),
        novelty=figure("trust/{model}.novelty.svg", "5 Evaluation", "Novelty"),
        missing=figure("trust/{model}.missing.svg", "5 Evaluation", "Missing genes"),
    log:
        "<logs>/plot_trust/{model}.log",
    benchmark:
        "<benchmarks>/plot_trust/{model}.tsv"
    wildcard_constraints:
        model="dl_[a-z]+|ridge",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_digest("report/plot_trust.py"),
        page=PAGE,
    message:
        "Drawing how far the calls of {wildcards.model} can be trusted"
    script:
        "../scripts/report/plot_trust.py"


rule explain_classes:
    input:
        bundle="<results>/bundle/bundle.json",
        cohort="<results>/cohort/cohort.h5ad",
        predictions=f"<results>/evaluation/{BUNDLED}/predictions.tsv",
    output:
        table=report(
            f"<results>/report/genes.tsv",
            caption="../report/drivers.rst",
            category="7 Model",
            labels=result_labels("Genes behind each class (table)"),
        ),
        html=report(
            f"<results>/report/genes.html",
            caption="../report/drivers.rst",
            category="7 Model",
            labels=result_labels("Genes behind each class"),
        ),
    log:
        "<logs>/explain_classes.log",
    benchmark:
        "<benchmarks>/explain_classes.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, per_input=4),
        runtime=minutes(60),
    params:
        code=code_digest("report/explain_classes.py"),
    message:
        "Finding the genes that speak for each class"
    script:
        "../scripts/report/explain_classes.py"


rule describe_run:
    input:
        bundle="<results>/bundle/bundle.json",
        samples="<results>/cohort/samples.tsv",
        cohort="<results>/cohort/cohort.h5ad",
        products=list(run_products()),
        snakefile=local(str(WORKFLOW / "Snakefile")),
    output:
        config="<results>/report/run/config.yaml",
        snakefile="<results>/report/run/Snakefile",
        checklist="<results>/report/run/TRIPOD-AI.md",
        page=report(
            "<results>/report/run/TRIPOD-AI.html",
            caption="../report/tripod.rst",
            category="7 Model",
            labels=result_labels("TRIPOD+AI checklist"),
        ),
        metadata="<results>/report/run/metadata.yaml",
        crate="<results>/ro-crate-metadata.json",
    log:
        "<logs>/describe_run.log",
    benchmark:
        "<benchmarks>/describe_run.tsv"
    conda:
        "../../envs/crate.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_digest("report/describe_run.py"),
        settings=dict(config),
        products=list(run_products().values()),
    message:
        "Describing the run: config, checklist, crate"
    script:
        "../scripts/report/describe_run.py"


rule report:
    input:
        final_products(),
    message:
        "The report's pages and figures are made"
