# Quality control: alignment, assignment and mRIN against their thresholds, and MultiQC.


rule decide_quality:
    input:
        samples="<results>/cohort/samples.tsv",
        mrin="<results>/integrity/mrin.tsv",
        coverage="<results>/integrity/coverage.tsv",
        star_logs=per_sample("<results>/alignment/{sample}.Log.final.out", origins=("fastq", "sra")),
        summaries=per_sample("<results>/counts/{sample}.tsv.summary"),
    output:
        qc="<results>/quality/samples.tsv",
        multiqc_decisions="<results>/quality/decisions_mqc.json",
        multiqc_mrin="<results>/quality/mrin_mqc.json",
        multiqc_coverage="<results>/quality/coverage_mqc.json",
    log:
        "<logs>/decide_quality.log",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_digest("quality/decide_quality.py"),
        min_aligned=lookup("quality/min_aligned", within=config),
        min_assigned=lookup("quality/min_assigned", within=config),
        min_mrin=lookup("quality/min_mrin", within=config),
    message:
        "Deciding which samples are good enough"
    script:
        "../scripts/quality/decide_quality.py"


rule summarise_quality:
    input:
        per_sample("<results>/alignment/{sample}.Log.final.out", origins=("fastq", "sra")),
        per_sample("<results>/counts/{sample}.tsv.summary"),
        branch(
            config["trim"],
            then=per_sample("<results>/alignment/{sample}.fastp.json", origins=("fastq", "sra")),
            otherwise=[],
        ),
        decisions="<results>/quality/decisions_mqc.json",
        mrin="<results>/quality/mrin_mqc.json",
        coverage="<results>/quality/coverage_mqc.json",
        config=packaged_path("resources/multiqc.yaml"),
    output:
        report(
            "<results>/quality/multiqc.html",
            caption="../report/multiqc.rst",
            category="1 Quality",
            labels=result_labels("MultiQC"),
        ),
    log:
        "<logs>/summarise_quality.log",
    conda:
        "../../envs/multiqc.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, per_input=8),
        runtime=minutes(30),
    params:
        results=subpath(input.mrin, ancestor=2),
        title="tissuestate: quality of the samples" + (" (simulated)" if DEMO else ""),
        comment="Simulated. The reads were made by a computer." if DEMO else "",
    message:
        "Writing the MultiQC page"
    shell:
        # Names folders, not samples, so that the command stays short for any number of samples. Plots of
        # thousands stay interactive (images need a browser); tables of all points are not kept.
        "multiqc --force --no-ansi --quiet --interactive --no-data-dir"
        " --module custom_content --module star --module featurecounts --module fastp"
        " --config {input.config:q} --title {params.title:q} --comment {params.comment:q}"
        " --filename {output:q} {input.decisions:q} {input.mrin:q} {input.coverage:q}"
        " $(for folder in alignment counts; do"
        " [ -d {params.results:q}/$folder ] && echo {params.results:q}/$folder; done)"
        " > {log:q} 2>&1"


rule quality:
    input:
        ["<results>/quality/samples.tsv", "<results>/quality/multiqc.html"] if FROM_READS else [],
    message:
        "Quality is decided"
