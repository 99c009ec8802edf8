# The bundle: everything fitted, in one folder that classifies new samples.


rule build_bundle:
    input:
        **bundled_models(),
        normaliser="<results>/expression/normaliser.npz",
        imputation="<results>/expression/imputation.npz",
        correction="<results>/expression/correction.npz",
        transformer=f"<results>/features/{FEATURES_OF[BUNDLED]}.npz",
        normalised="<results>/expression/normalised.h5ad",
        classes="<results>/cohort/classes.json",
        left_out="<results>/laboratories/scores.tsv" if LEFT_OUT else [],
        calibration=f"<results>/evaluation/{BUNDLED}/calibration.json",
        left_out_calls="<results>/laboratories/calls.tsv" if LEFT_OUT else [],
        metrics=f"<results>/evaluation/{BUNDLED}/metrics.tsv",
        confusion=f"<results>/evaluation/{BUNDLED}/confusion.tsv",
        sets=f"<results>/evaluation/{BUNDLED}/sets.tsv",
        abstention=f"<results>/evaluation/{BUNDLED}/abstention.tsv",
        missing_genes=f"<results>/evaluation/{BUNDLED}/missing_genes.tsv",
        samples="<results>/cohort/samples.tsv",
        cohort="<results>/cohort/cohort.h5ad",
        genes="<results>/matrices/gene_ids.tsv.gz",
        integrity="<results>/integrity/reference.npz" if FROM_READS else [],
        bed="<reference>/transcripts.bed" if FROM_READS else [],
        sources=packaged_path(config["bundle_sources"]) if config["bundle_sources"] else [],
    output:
        bundle_files(),
        "<results>/bundle/MODEL_CARD.md",
        bundle="<results>/bundle/bundle.json",
        card=report(
            "<results>/bundle/MODEL_CARD.html",
            caption="../report/model_card.rst",
            category="7 Model",
            labels=result_labels("Model card"),
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
        code=code_digest("bundle/build_bundle.py"),
        config=bundle_config(),
        name=lookup("bundle_name", within=config),
        page=PAGE,
    message:
        "Building the bundle that classifies new samples"
    script:
        "../scripts/bundle/build_bundle.py"


rule bundle:
    input:
        "<results>/bundle/bundle.json",
    message:
        "The bundle is built"
