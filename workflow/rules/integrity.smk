# mRIN: the 3' bias of each sample's coverage, against the training samples.


rule profile_integrity:
    input:
        bam=of_now(alignment),
        bed="<reference>/transcripts.bed",
        chromosomes="<reference>/chromosomes.tsv",
        sequences=sequences_of,
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
        code=code_digest("profile_integrity.py"),
        refuse=CLASSIFYING,
        flaw=flaw_of,
        given=reads_as_given,
    script:
        "../scripts/profile_integrity.py"
