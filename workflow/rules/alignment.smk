# Reads of a sample, from the sheet or the archive and trimmed if the config says so, through
# STAR with RNAseqDB's options; one sorted, indexed BAM per sample.


rule align_reads:
    input:
        unpack(after_removing_outdated(fastq_files_of)),
        # On a shared disk three files stand for all, which are made together: each file named here
        # adds half a second to the planning of ten thousand samples.
        index=STAR_INDEX if FILES_ARE_FETCHED else STAR_INDEX[:3],
        fits=REFERENCE_FITS,
    output:
        bam=branch(
            config["keep_alignments"],
            then="<results>/alignment/{sample}.bam",
            otherwise=temp("<results>/alignment/{sample}.bam"),
        ),
        bai=branch(
            config["keep_alignments"],
            then="<results>/alignment/{sample}.bam.bai",
            otherwise=temp("<results>/alignment/{sample}.bam.bai"),
        ),
        log="<results>/alignment/{sample}.Log.final.out",
        json=branch(config["trim"], then="<results>/alignment/{sample}.fastp.json", otherwise=[]),
        html=branch(config["trim"], then="<results>/alignment/{sample}.fastp.html", otherwise=[]),
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
    params:
        accession=lambda wildcards: ROWS[wildcards.sample].get("sra", ""),
        trim=lookup("trim", within=config),
        refuse=CLASSIFYING,
        flaw=flaw_of_sample,
        fingerprints=reads_fingerprints,
    message:
        "Aligning the reads of {wildcards.sample}"
    script:
        "../scripts/alignment/align_reads.sh"


rule alignment:
    input:
        per_sample("<results>/alignment/{sample}.Log.final.out", origins=("fastq", "sra")),
    message:
        "The reads of every sample are aligned"
