# Genome, annotation, STAR index, and the representative transcripts for mRIN.

# By name, as a cache between workflows wants it.
STAR_OUTPUT = {
    name.replace(".", "_"): f"<reference>/star/{name}"
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
}
STAR_INDEX = list(STAR_OUTPUT.values())
# Whether `--cache` is given; Snakemake warns of cacheable rules without it.
CACHED = workflow.workflow_settings.cache is not None

for kind in ("genome", "annotation"):
    if is_url(config["reference"][kind]["path"]):

        rule:
            name:
                f"fetch_{kind}"
            output:
                file=protected(reference_file(kind)),
            log:
                f"<logs>/fetch_{kind}.log",
            cache: CACHED
            conda:
                "../../envs/python.yaml"
            threads: 1
            resources:
                mem_mb=memory(500),
                runtime=minutes(240),
            params:
                code=code_digest("reference/fetch_file.py"),
                url=config["reference"][kind]["path"],
                checksum=config["reference"][kind]["checksum"],
            script:
                "../scripts/reference/fetch_file.py"


# No benchmark: a result that a cache may bring can have none.
rule prepare_reference:
    input:
        genome=after_removing_outdated(reference_file("genome")),
        annotation=reference_file("annotation"),
    output:
        genome="<reference>/genome.fa",
        annotation="<reference>/annotation.gtf",
        chromosomes="<reference>/chromosomes.tsv",
    log:
        "<logs>/prepare_reference.log",
    cache: CACHED
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10, per_gb=20),
    params:
        code=code_digest("reference/prepare_reference.py"),
        fingerprints=reference_fingerprints(*REFERENCE[:2]),
    message:
        "Preparing genome and annotation"
    script:
        "../scripts/reference/prepare_reference.py"


# For samples in CRAM, whose header has the checksums of the genome that it was made with.
rule digest_sequences:
    input:
        genome="<reference>/genome.fa",
    output:
        "<reference>/genome.dict",
    log:
        "<logs>/digest_sequences.log",
    conda:
        "../../envs/subread.yaml"
    threads: 1
    resources:
        mem_mb=memory(500, per_input=0.2),
        runtime=minutes(10, per_gb=10),
    message:
        "Computing checksums of the genome's sequences"
    shell:
        "samtools dict -o {output:q} {input:q} > {log:q} 2>&1"


rule index_genome:
    input:
        genome="<reference>/genome.fa",
        annotation="<reference>/annotation.gtf",
        # Made first, since it finds faults of genome and annotation, and another bundle's reference.
        transcripts="<reference>/transcripts.bed",
    output:
        **STAR_OUTPUT,
    log:
        "<logs>/index_genome.log",
    cache: CACHED
    conda:
        "../../envs/star.yaml"
    threads: 8
    resources:
        # The index is as large as the genome makes it; the base holds the annotation's junctions.
        mem_mb=memory(6000, per_input=10 / config["reference"]["star_sparsity"], of="genome"),
        runtime=minutes(20, per_gb=40),
    params:
        sparsity=lookup("reference/star_sparsity", within=config),
        overhang=lookup("reference/star_overhang", within=config),
    message:
        "Building STAR's index of the genome"
    script:
        "../scripts/reference/index_genome.sh"


rule derive_transcripts:
    input:
        transcripts=(
            user_path(config["reference"]["transcripts"])
            if config["reference"]["transcripts"]
            else "<reference>/annotation.gtf"
        ),
        annotation="<reference>/annotation.gtf",
        chromosomes="<reference>/chromosomes.tsv",
    output:
        bed="<reference>/transcripts.bed",
    log:
        "<logs>/derive_transcripts.log",
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, per_input=1),
        runtime=minutes(20),
    params:
        code=code_digest("reference/derive_transcripts.py"),
        fingerprints=reference_fingerprints(*REFERENCE[2:]),
        bundle=bundle_to_match,
    message:
        "Choosing a transcript of each gene to measure RNA integrity"
    script:
        "../scripts/reference/derive_transcripts.py"


# A reference made here for one bundle or cohort may serve another, and is then checked again. Of the
# bundle's transcripts mRIN looks at those that the reference has, be it of another genome build.
REFERENCE_FITS = []
MRIN_TRANSCRIPTS = "<reference>/transcripts.bed"
if CLASSIFYING:
    REFERENCE_FITS = "<results>/integrity/reference.txt"
    # A bundle that was trained on matrices has no mRIN to compare with.
    KNOWS_INTEGRITY = Path(BUNDLE, "integrity.npz").is_file()
    if KNOWS_INTEGRITY:
        MRIN_TRANSCRIPTS = "<results>/integrity/transcripts.bed"

    rule check_reference:
        input:
            annotation="<reference>/annotation.gtf",
            bed="<reference>/transcripts.bed",
            chromosomes="<reference>/chromosomes.tsv",
        output:
            fits=REFERENCE_FITS,
            transcripts=branch(KNOWS_INTEGRITY, then=MRIN_TRANSCRIPTS, otherwise=[]),
        log:
            "<logs>/check_reference.log",
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=memory(1000, per_input=1),
            runtime=minutes(20),
        params:
            code=code_digest("reference/check_reference.py"),
            bundle=bundle_to_match,
        message:
            "Comparing the reference with the bundle's"
        script:
            "../scripts/reference/check_reference.py"


rule reference:
    input:
        after_removing_outdated([*STAR_INDEX, "<reference>/transcripts.bed"] if FROM_READS else []),
    message:
        "The reference is ready"
