# Classification of new samples by a bundle: reads or counts, without labels, one by one.


rule classify_samples:
    input:
        bundle=after_removing_outdated(local(f"{BUNDLE}/bundle.json")),
        sheet=SAMPLES,
        counts=per_sample("<results>/counts/{sample}.tsv"),
        summaries=per_sample("<results>/counts/{sample}.tsv.summary"),
        star_logs=per_sample("<results>/alignment/{sample}.Log.final.out", origins=("fastq", "sra")),
        matrices=[user_path(matrix) for matrix in MATRICES],
        tx2gene=TX2GENE,
        mrin="<results>/integrity/mrin.tsv" if FROM_READS and KNOWS_INTEGRITY else [],
        profiles=(
            per_sample("<results>/integrity/profiles/{sample}.npz") if KNOWS_INTEGRITY else []
        ),
    output:
        calls="<results>/calls.tsv",
        json="<results>/calls.json",
    log:
        "<logs>/classify_samples.log",
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000, per_input=4),
        runtime=minutes(20),
    params:
        code=code_digest("classification/classify_samples.py"),
        matrices=MATRICES,
        fingerprints=input_fingerprints(SAMPLES, *GENES, *MATRICES),
        bundle=bundle_fingerprint(),
        reads=lambda wildcards: {
            name: file_checksums(files_of_sample(name, READS)) for name in FROM_READS
        },
    message:
        "Calling the samples"
    script:
        "../scripts/classification/classify_samples.py"


rule explain_samples:
    input:
        calls="<results>/calls.tsv",
        bundle=local(f"{BUNDLE}/bundle.json"),
        sheet=SAMPLES,
        counts=per_sample("<results>/counts/{sample}.tsv"),
        matrices=[user_path(matrix) for matrix in MATRICES],
        tx2gene=TX2GENE,
    output:
        genes="<results>/genes.tsv",
    log:
        "<logs>/explain_samples.log",
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=memory(2000, per_input=4),
        runtime=minutes(60),
    params:
        code=code_digest("classification/explain_samples.py"),
        fingerprints=input_fingerprints(SAMPLES, *GENES, *MATRICES),
        bundle=bundle_fingerprint(),
        matrices=MATRICES,
    message:
        "Finding the genes behind each call"
    script:
        "../scripts/classification/explain_samples.py"


rule write_pages:
    input:
        json="<results>/calls.json",
        genes="<results>/genes.tsv" if EXPLAINED else [],
        bundle=local(f"{BUNDLE}/bundle.json"),
    output:
        pages=directory("<results>/pages"),
    log:
        "<logs>/write_pages.log",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(20),
    params:
        code=code_digest("classification/write_pages.py"),
    message:
        "Writing a page for each sample"
    script:
        "../scripts/classification/write_pages.py"


rule classify:
    input:
        "<results>/calls.tsv",
        "<results>/pages",
    message:
        "The samples are classified"
