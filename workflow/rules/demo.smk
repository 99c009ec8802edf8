# The demo cohort: simulated reads of the samples in the demo's sheet, with their truth.

if config["demo"]:

    rule simulate_cohort:
        input:
            sheet=local(config["demo"]["sheet"]),
        output:
            genome="results/demo/genome.fa",
            annotation="results/demo/annotation.gtf",
            truth_samples="results/demo/truth_samples.tsv",
            truth_genes="results/demo/truth_genes.tsv",
            reads=demo_reads(),
        log:
            "<logs>/simulate_cohort.log",
        benchmark:
            "<benchmarks>/simulate_cohort.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 2
        resources:
            mem_mb=memory(2000),
            runtime=minutes(20),
        params:
            library=imported_by("simulate_cohort.py"),
            seed=config["seed"],
            pairs=config["demo"]["pairs"],
        message:
            "Simulating the demo cohort: genome, annotation, reads and their truth"
        script:
            "../scripts/simulate_cohort.py"
