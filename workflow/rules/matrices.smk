# Count matrices of others, where the sheet names them by address.


rule fetch_recount3:
    output:
        matrix="<results>/recount3/{data_source}.{project}.parquet",
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
        code=code_digest("fetch_recount3.py"),
        data_source="{data_source}",
        project="{project}",
    script:
        "../scripts/fetch_recount3.py"
