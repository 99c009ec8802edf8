# mRIN: the 3' bias of each sample's coverage, against the training samples.


rule profile_integrity:
    input:
        bam=after_removing_outdated(alignment_file),
        bed=MRIN_TRANSCRIPTS,
        chromosomes="<reference>/chromosomes.tsv",
        sequences=sequence_checksums_of,
        fits=REFERENCE_FITS,
    output:
        profile="<results>/integrity/profiles/{sample}.npz",
    log:
        "<logs>/profile_integrity/{sample}.log",
    benchmark:
        "<benchmarks>/profile_integrity/{sample}.tsv"
    # Before the next alignment: a BAM is deleted when its readers are done, and few wait on the disk.
    priority: 1
    conda:
        "../../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=memory(1500),
        runtime=minutes(10, per_gb=10),
    params:
        code=code_digest("integrity/profile_integrity.py"),
        refuse=CLASSIFYING,
        flaw=flaw_of_sample,
        fingerprints=reads_fingerprints,
    message:
        "Measuring RNA integrity of {wildcards.sample}"
    script:
        "../scripts/integrity/profile_integrity.py"


if not CLASSIFYING:

    rule score_integrity:
        input:
            profiles=per_sample("<results>/integrity/profiles/{sample}.npz"),
            bed="<reference>/transcripts.bed",
            samples="<results>/cohort/samples.tsv",
        output:
            mrin="<results>/integrity/mrin.tsv",
            gis="<results>/integrity/gis.tsv",
            reference="<results>/integrity/reference.npz",
            coverage="<results>/integrity/coverage.tsv",
        log:
            "<logs>/score_integrity.log",
        benchmark:
            "<benchmarks>/score_integrity.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 2
        resources:
            mem_mb=memory(2000, per_input=0.5),
            runtime=minutes(10, per_gb=5),
        params:
            code=code_digest("integrity/score_integrity.py"),
            fit_on=lookup("fit_on", within=config),
        message:
            "Scoring RNA integrity of every sample"
        script:
            "../scripts/integrity/score_integrity.py"

else:

    rule apply_integrity:
        input:
            profiles=per_sample("<results>/integrity/profiles/{sample}.npz"),
            bed=MRIN_TRANSCRIPTS,
            reference=local(f"{BUNDLE}/integrity.npz"),
        output:
            mrin="<results>/integrity/mrin.tsv",
        log:
            "<logs>/apply_integrity.log",
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=memory(1000, per_input=0.5),
            runtime=minutes(10),
        params:
            code=code_digest("integrity/apply_integrity.py"),
        message:
            "Scoring RNA integrity against the bundle's cohort"
        script:
            "../scripts/integrity/apply_integrity.py"


rule integrity:
    input:
        "<results>/integrity/mrin.tsv" if FROM_READS else [],
    message:
        "RNA integrity is scored"
