# Public count matrices, and the gene map.


rule fetch_recount3:
    output:
        matrix="<results>/matrices/recount3/{data_source}.{project}.parquet",
    log:
        "<logs>/fetch_recount3/{data_source}.{project}.log",
    wildcard_constraints:
        data_source="gtex|tcga|sra",
    conda:
        "../../envs/recount3.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        code=code_digest("matrices/fetch_recount3.py"),
        data_source="{data_source}",
        project="{project}",
    message:
        "Downloading {wildcards.project} of {wildcards.data_source} from recount3"
    script:
        "../scripts/matrices/fetch_recount3.py"


if config["rnaseqdb"] and not CLASSIFYING:

    rule fetch_rnaseqdb:
        output:
            file="<results>/matrices/rnaseqdb/{file}.txt.gz",
        log:
            "<logs>/fetch_rnaseqdb/{file}.log",
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=memory(500),
            runtime=minutes(60),
        params:
            **rnaseqdb_download(),
            code=code_digest("reference/fetch_file.py"),
        message:
            "Downloading {wildcards.file} of RNAseqDB"
        script:
            "../scripts/reference/fetch_file.py"

    rule list_rnaseqdb:
        input:
            matrices=rnaseqdb_matrices(),
            table=packaged_path(config["rnaseqdb"]["table"]),
        output:
            sheet="<results>/matrices/rnaseqdb/samples.tsv",
        log:
            "<logs>/list_rnaseqdb.log",
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=memory(1000),
            runtime=minutes(20),
        params:
            code=code_digest("matrices/list_rnaseqdb.py"),
        message:
            "Listing the samples of RNAseqDB"
        script:
            "../scripts/matrices/list_rnaseqdb.py"


if not CLASSIFYING:

    rule map_genes:
        input:
            annotation="<reference>/annotation.gtf" if FROM_READS else [],
            tx2gene=TX2GENE,
        output:
            genes="<results>/matrices/gene_ids.tsv.gz",
        log:
            "<logs>/map_genes.log",
        benchmark:
            "<benchmarks>/map_genes.tsv"
        conda:
            "../../envs/orgdb.yaml"
        threads: 1
        resources:
            mem_mb=memory(2000, per_input=2),
            runtime=minutes(20),
        params:
            code=code_digest("matrices/map_genes.py"),
            fingerprints=input_fingerprints(*GENES),
        message:
            "Mapping gene names to Ensembl ids"
        script:
            "../scripts/matrices/map_genes.py"

    rule matrices:
        input:
            "<results>/matrices/gene_ids.tsv.gz",
            rnaseqdb_matrices(),
            [user_path(matrix) for matrix in MATRICES if matrix.startswith("recount3://")],
        message:
            "The matrices are there"
