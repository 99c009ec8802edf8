# The two networks in tandem: hyper-parameters by TPE (rounds of workers), then the training.


rule tune_network:
    input:
        features="<results>/features/{features}.h5ad",
        classes="<results>/cohort/classes.json",
        earlier=earlier_trials,
    output:
        trials="<results>/models/{task}.{features}/tuning/{round}.{worker}.jsonl",
    log:
        "<logs>/tune_network/{task}.{features}.{round}.{worker}.log",
    benchmark:
        "<benchmarks>/tune_network/{task}.{features}.{round}.{worker}.tsv"
    conda:
        ("../../envs/torch-gpu.yaml" if gpus("tune_network") else "../../envs/torch.yaml")
    threads: network_threads
    resources:
        mem_mb=memory(2000, per_input=6),
        runtime=minutes(120, per_gb=600),
        gpu=gpus("tune_network"),
    params:
        code=code_digest("models/tune_network.py"),
        task="{task}",
        round="{round}",
        worker="{worker}",
        schedule=tuning_schedule(),
        epochs=lookup("tuning/epochs", within=config),
        recipe=lookup("training/recipe", within=config),
        space=lookup("tuning/space", within=config),
        seed=lookup("seed", within=config),
        device=lookup("device", within=config),
        # Not an output, which is removed when a job fails: an interrupted search continues from it.
        journal=lambda wildcards, output: f"{output.trials}.journal",
    message:
        "Searching hyper-parameters of {wildcards.task}.{wildcards.features}, round {wildcards.round}"
    script:
        "../scripts/models/tune_network.py"


rule choose_hyperparameters:
    input:
        trials=trials_of(range(1, config["tuning"]["rounds"] + 1)),
    output:
        trials="<results>/models/{task}.{features}/trials.jsonl",
        hyperparameters="<results>/models/{task}.{features}/hyperparameters.json",
    log:
        "<logs>/choose_hyperparameters/{task}.{features}.log",
    benchmark:
        "<benchmarks>/choose_hyperparameters/{task}.{features}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        code=code_digest("models/choose_hyperparameters.py"),
    message:
        "Choosing hyper-parameters of {wildcards.task}.{wildcards.features}"
    script:
        "../scripts/models/choose_hyperparameters.py"


rule train_network:
    input:
        features="<results>/features/{features}.h5ad",
        classes="<results>/cohort/classes.json",
        hyperparameters="<results>/models/{task}.{features}/hyperparameters.json",
    output:
        weights="<results>/models/{task}.{features}/weights.safetensors",
        network="<results>/models/{task}.{features}/network.json",
        history="<results>/models/{task}.{features}/history.tsv",
        cost="<results>/models/{task}.{features}/cost.json",
    log:
        "<logs>/train_network/{task}.{features}.log",
    benchmark:
        "<benchmarks>/train_network/{task}.{features}.tsv"
    conda:
        ("../../envs/torch-gpu.yaml" if gpus("train_network") else "../../envs/torch.yaml")
    threads: network_threads
    resources:
        mem_mb=memory(2000, per_input=6),
        runtime=minutes(60, per_gb=120),
        gpu=gpus("train_network"),
    params:
        code=code_digest("models/train_network.py"),
        task="{task}",
        epochs=lookup("training/epochs", within=config),
        recipe=lookup("training/recipe", within=config),
        seed=lookup("seed", within=config),
        device=lookup("device", within=config),
    message:
        "Training the network {wildcards.task}.{wildcards.features}"
    script:
        "../scripts/models/train_network.py"


rule models:
    input:
        expand(
            "<results>/models/{task}.{features}/weights.safetensors",
            task=TASKS,
            features=config["features"]["kinds"],
        ),
    message:
        "The networks are trained"
