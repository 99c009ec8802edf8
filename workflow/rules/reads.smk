# Reads from the Sequence Read Archive, and optional adapter trimming.


rule download_run:
    output:
        fastq_1=temp("<results>/reads/{sample}_1.fastq.gz"),
        fastq_2=temp("<results>/reads/{sample}_2.fastq.gz"),
    log:
        "<logs>/download_run/{sample}.log",
    conda:
        "../../envs/sra-tools.yaml"
    threads: 4
    resources:
        mem_mb=memory(2000),
        runtime=minutes(240),
    params:
        accession=lambda wildcards: ROWS[wildcards.sample]["sra"],
    script:
        "../scripts/download_run.sh"


rule trim_reads:
    input:
        unpack(raw_reads),
    output:
        fastq_1=temp("<results>/trimmed/{sample}_1.fastq.gz"),
        fastq_2=temp("<results>/trimmed/{sample}_2.fastq.gz"),
        json="<results>/trimmed/{sample}.fastp.json",
        html="<results>/trimmed/{sample}.fastp.html",
    log:
        "<logs>/trim_reads/{sample}.log",
    benchmark:
        "<benchmarks>/trim_reads/{sample}.tsv"
    conda:
        "../../envs/fastp.yaml"
    threads: 4
    resources:
        mem_mb=memory(2000),
        runtime=minutes(20, per_gb=15),
    script:
        "../scripts/trim_reads.sh"
