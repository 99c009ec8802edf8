# Reads (or read pairs) per gene.


rule count_reads:
    input:
        bam=after_removing_outdated(alignment_file),
        annotation="<reference>/annotation.gtf",
        chromosomes="<reference>/chromosomes.tsv",
        sequences=sequence_checksums_of,
        fits=REFERENCE_FITS,
    output:
        counts="<results>/counts/{sample}.tsv",
        summary="<results>/counts/{sample}.tsv.summary",
    log:
        "<logs>/count_reads/{sample}.log",
    benchmark:
        "<benchmarks>/count_reads/{sample}.tsv"
    # Before the next alignment: a BAM is deleted when its readers are done, and few wait on the disk.
    priority: 1
    conda:
        "../../envs/subread.yaml"
    threads: 4
    resources:
        mem_mb=memory(1000, per_input=0.2),
        runtime=minutes(15, per_gb=10),
    params:
        strandedness=lambda wildcards: ROWS[wildcards.sample]["strandedness"],
        refuse=CLASSIFYING,
        flaw=flaw_of_sample,
        fingerprints=reads_fingerprints,
    message:
        "Counting the reads of {wildcards.sample} by gene"
    script:
        "../scripts/counts/count_reads.sh"


rule counts:
    input:
        per_sample("<results>/counts/{sample}.tsv"),
    message:
        "The reads of every sample are counted"
