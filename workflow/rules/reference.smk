# Genome, annotation, STAR index and the representative transcripts that mRIN looks at.

STAR_INDEX = [
    f"<reference>/star/{name}"
    for name in (
        "Genome",
        "SA",
        "SAindex",
        "chrLength.txt",
        "chrName.txt",
        "chrNameLength.txt",
        "chrStart.txt",
        "exonGeTrInfo.tab",
        "exonInfo.tab",
        "geneInfo.tab",
        "genomeParameters.txt",
        "sjdbInfo.txt",
        "sjdbList.fromGTF.out.tab",
        "sjdbList.out.tab",
        "transcriptInfo.tab",
    )
]

for kind in ("genome", "annotation"):
    if is_url(config["reference"][kind]["path"]):

        rule:
            name:
                f"fetch_{kind}"
            output:
                file=protected(reference_file(kind)),
            log:
                f"<logs>/fetch_{kind}.log",
            conda:
                "../../envs/python.yaml"
            threads: 1
            resources:
                mem_mb=memory(500),
                runtime=minutes(240),
            params:
                library=imported_by("fetch_file.py"),
                url=config["reference"][kind]["path"],
                checksum=config["reference"][kind]["checksum"],
            script:
                "../scripts/fetch_file.py"


rule prepare_reference:
    input:
        genome=reference_file("genome"),
        annotation=reference_file("annotation"),
    output:
        genome="<reference>/genome.fa",
        annotation="<reference>/annotation.gtf",
        chromosomes="<reference>/chromosomes.tsv",
    log:
        "<logs>/prepare_reference.log",
    benchmark:
        "<benchmarks>/prepare_reference.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10, per_gb=20),
    params:
        library=imported_by("prepare_reference.py"),
    script:
        "../scripts/prepare_reference.py"


rule index_genome:
    input:
        genome="<reference>/genome.fa",
        annotation="<reference>/annotation.gtf",
        # What does not fit is told first; what fits makes no other index.
        fits=ancient("<reference>/fits.txt"),
    output:
        STAR_INDEX,
    log:
        "<logs>/index_genome.log",
    benchmark:
        "<benchmarks>/index_genome.tsv"
    conda:
        "../../envs/star.yaml"
    threads: 8
    resources:
        mem_mb=memory(2000, per_input=10 / config["reference"]["star_sparsity"]),
        runtime=minutes(20, per_gb=40),
    params:
        sparsity=lookup("reference/star_sparsity", within=config),
        overhang=lookup("reference/star_overhang", within=config),
    script:
        "../scripts/index_genome.sh"


rule derive_transcripts:
    input:
        transcripts=(
            given(config["reference"]["transcripts"])
            if config["reference"]["transcripts"]
            else "<reference>/annotation.gtf"
        ),
        chromosomes="<reference>/chromosomes.tsv",
    output:
        bed="<reference>/transcripts.bed",
    log:
        "<logs>/derive_transcripts.log",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, per_input=2),
        runtime=minutes(20),
    params:
        library=imported_by("derive_transcripts.py"),
    script:
        "../scripts/derive_transcripts.py"


rule check_reference:
    input:
        annotation="<reference>/annotation.gtf",
        bed="<reference>/transcripts.bed",
    output:
        fits="<reference>/fits.txt",
    log:
        "<logs>/check_reference.log",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, per_input=2),
        runtime=minutes(20),
    params:
        library=imported_by("check_reference.py"),
        bundle=config.get("bundle") or "",
        given=fingerprint(f"{config['bundle']}/bundle.json") if config.get("bundle") else "",
    script:
        "../scripts/check_reference.py"
