# STAR with RNAseqDB's options; one sorted, indexed BAM a sample.


rule align_reads:
    input:
        unpack(reads_to_align),
        index=STAR_INDEX,
    output:
        bam=branch(
            config["keep_alignments"],
            then="<results>/align/{sample}.bam",
            otherwise=temp("<results>/align/{sample}.bam"),
        ),
        bai=branch(
            config["keep_alignments"],
            then="<results>/align/{sample}.bam.bai",
            otherwise=temp("<results>/align/{sample}.bam.bai"),
        ),
        log="<results>/align/{sample}.Log.final.out",
    log:
        "<logs>/align_reads/{sample}.log",
    benchmark:
        "<benchmarks>/align_reads/{sample}.tsv"
    conda:
        "../../envs/star.yaml"
    threads: align_threads()
    resources:
        mem_mb=memory(3000, per_input=1.1),
        runtime=minutes(30, per_gb=30),
    script:
        "../scripts/align_reads.sh"
