# Everything fitted, in one folder: what classifies a new sample.


rule build_bundle:
    input:
        normaliser="<results>/expression/normaliser.npz",
        imputation="<results>/expression/imputation.npz",
        correction="<results>/expression/correction.npz",
        transformer=f"<results>/features/{config['bundle_features']}.npz",
        features=f"<results>/features/{config['bundle_features']}.h5ad",
        novelty=f"<results>/features/{config['bundle_features']}.novelty.npz",
        classes="<results>/cohort/classes.json",
        multitask=model_files("multitask", config["bundle_features"]),
        subtype=(model_files("subtype", config["bundle_features"]) if HAS_SUBTYPES else []),
        calibration=f"<results>/evaluation/{BUNDLED}/calibration.json",
        metrics=f"<results>/evaluation/{BUNDLED}/metrics.tsv",
        sets=f"<results>/evaluation/{BUNDLED}/sets.tsv",
        abstention=f"<results>/evaluation/{BUNDLED}/abstention.tsv",
        missing_genes=f"<results>/evaluation/{BUNDLED}/missing_genes.tsv",
        samples="<results>/cohort/samples.tsv",
        cohort="<results>/cohort/cohort.h5ad",
        genes="<results>/cohort/gene_ids.tsv.gz",
        integrity="<results>/integrity/reference.npz" if FROM_READS else [],
        bed="<reference>/transcripts.bed" if FROM_READS else [],
    output:
        bundle_files(),
        bundle="<results>/bundle/bundle.json",
        card=report(
            "<results>/bundle/MODEL_CARD.md",
            caption="../report/model_card.rst",
            category="7 Model",
        ),
    log:
        "<logs>/build_bundle.log",
    benchmark:
        "<benchmarks>/build_bundle.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, per_input=2),
        runtime=minutes(20),
    params:
        code=code_digest("build_bundle.py"),
        config=bundle_config(),
    script:
        "../scripts/build_bundle.py"


rule explain_classes:
    input:
        bundle="<results>/bundle/bundle.json",
        cohort="<results>/cohort/cohort.h5ad",
        predictions=f"<results>/evaluation/{BUNDLED}/predictions.tsv",
    output:
        table=report(
            f"<results>/evaluation/{BUNDLED}/genes.tsv",
            caption="../report/drivers.rst",
            category="7 Model",
        ),
        html=report(
            f"<results>/evaluation/{BUNDLED}/genes.html",
            caption="../report/drivers.rst",
            category="7 Model",
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
        code=code_digest("explain_classes.py"),
    script:
        "../scripts/explain_classes.py"


rule classify:
    log:
        "<logs>/classify.log",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(100),
        runtime=minutes(1),
    shell:
        "echo 'Error: classify needs a trained bundle and your samples: snakemake classify --cores 2"
        " --config bundle=results/bundle samples=new_samples.tsv' | tee {log:q} >&2; exit 1"


rule describe_run:
    input:
        bundle="<results>/bundle/bundle.json",
        samples="<results>/cohort/samples.tsv",
        cohort="<results>/cohort/cohort.h5ad",
        products=list(run_products()),
        snakefile=local(str(WORKFLOW / "Snakefile")),
    output:
        config="<results>/run/config.yaml",
        snakefile="<results>/run/Snakefile",
        checklist=report(
            "<results>/run/TRIPOD-AI.md",
            caption="../report/tripod.rst",
            category="7 Model",
        ),
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
        code=code_digest("describe_run.py"),
        settings=dict(config),
        products=list(run_products().values()),
    script:
        "../scripts/describe_run.py"
