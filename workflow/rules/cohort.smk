# From the sheet and the counts to one AnnData of raw values: split, gene ids, gene intersection.


rule split_samples:
    input:
        sheet=after_removing_outdated(SAMPLES or []),
        rnaseqdb="<results>/matrices/rnaseqdb/samples.tsv" if config["rnaseqdb"] else [],
        classes=CLASSES,
    output:
        samples=report(
            "<results>/cohort/samples.tsv",
            caption="../report/samples.rst",
            category="2 Cohort",
            labels=result_labels("Samples (table)"),
        ),
    log:
        "<logs>/split_samples.log",
    benchmark:
        "<benchmarks>/split_samples.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        code=code_digest("cohort/split_samples.py"),
        fingerprints=input_fingerprints(*LABELS),
        mode=lookup("split/mode", within=config),
        fractions=lookup("split/fractions", within=config),
        seed=lookup("seed", within=config),
    message:
        "Splitting the samples into training, validation and test"
    script:
        "../scripts/cohort/split_samples.py"


rule assemble_cohort:
    input:
        samples="<results>/cohort/samples.tsv",
        qc="<results>/quality/samples.tsv" if FROM_READS else [],
        counts=per_sample("<results>/counts/{sample}.tsv"),
        matrices=[user_path(matrix) for matrix in MATRICES] + rnaseqdb_matrices(),
        genes="<results>/matrices/gene_ids.tsv.gz",
        classes=CLASSES,
    output:
        cohort="<results>/cohort/cohort.h5ad",
        genes=report(
            "<results>/cohort/genes.tsv",
            caption="../report/genes.rst",
            category="2 Cohort",
            labels=result_labels("Genes of each data set (table)"),
        ),
        classes="<results>/cohort/classes.json",
        laboratories="<results>/cohort/laboratories.tsv",
        sex="<results>/cohort/sex.tsv",
    log:
        "<logs>/assemble_cohort.log",
    benchmark:
        "<benchmarks>/assemble_cohort.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        # Count tables are read one at a time, a matrix as a whole.
        mem_mb=memory(3000, per_input=4 if MATRICES or config["rnaseqdb"] else 0.3),
        runtime=minutes(30, per_gb=20),
    params:
        code=code_digest("cohort/assemble_cohort.py"),
        fingerprints=input_fingerprints(*MATRICES),
        matrices=MATRICES,
        expected_genes=lookup("cohort/expected_genes", within=config),
        missing_values=lookup("cohort/missing_values", within=config),
        genes_kept=lookup("cohort/genes", within=config),
    message:
        "Assembling the cohort"
    script:
        "../scripts/cohort/assemble_cohort.py"


rule cohort:
    input:
        "<results>/cohort/cohort.h5ad",
    message:
        "The cohort is assembled"
