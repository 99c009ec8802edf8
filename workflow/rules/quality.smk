# Quality control: alignment, assignment and mRIN against their thresholds, and MultiQC.


rule decide_quality:
    input:
        samples="<results>/cohort/samples.tsv",
        mrin="<results>/integrity/mrin.tsv",
        star_logs=per_sample("<results>/alignment/{sample}.Log.final.out", origins=("fastq", "sra")),
        summaries=per_sample("<results>/counts/{sample}.tsv.summary"),
    output:
        qc="<results>/quality/samples.tsv",
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
        mrin="<results>/integrity/mrin_mqc.tsv",
        coverage="<results>/integrity/coverage_mqc.tsv",
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
        ending=r"'\.(Log\.final\.out|tsv\.summary|fastp\.json)$'",
    message:
        "Writing the MultiQC page"
    shell:
        # Names folders, not samples, so that the command stays short for any number of samples. Plots of
        # thousands stay interactive (images need a browser); tables of all points are not kept.
        # A sample's name is that of its file without the ending, whatever it looks like.
        "multiqc --force --no-ansi --quiet --interactive --no-data-dir"
        " --module custom_content --module star --module featurecounts --module fastp"
        ' --cl-config "use_filename_as_sample_name: [star, featurecounts, fastp]"'
        ' --cl-config "fn_clean_trim: []"'
        ' --cl-config "fn_clean_exts: [{{type: regex, pattern: {params.ending}}}]"'
        " --title tissuestate --filename {output:q} {input.mrin:q} {input.coverage:q}"
        " $(for folder in alignment counts; do"
        " [ -d {params.results:q}/$folder ] && echo {params.results:q}/$folder; done)"
        " > {log:q} 2>&1"


rule quality:
    input:
        ["<results>/quality/samples.tsv", "<results>/quality/multiqc.html"] if FROM_READS else [],
    message:
        "Quality is decided"
