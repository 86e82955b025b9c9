"""The learned prior: pictures of held objects, the denoiser trained on them, and objects that are remembered.

input:   nothing (procedural training instances), or the clips with truth that prior_data.clips names
output:  results/prior/data/{shard}.npz, results/prior/weights/, results/prior/memory.npz (used where the config says
         `prior: trained`); and their records, which Snakemake's cache shares with them
"""


rule prior_data:
    """One shard of pictures: training instances in fresh grasps, or one clip with truth, from all sides."""
    input:
        clip=clip_of_shard,
    output:
        shard="results/prior/data/{shard}.npz",
        record="results/provenance/prior/data/{shard}.npz.json",
    log:
        "results/logs/prior_data/{shard}.log",
    cache: True
    conda:
        "../../environment.yml"
    params:
        code=code("prior_data"),
        shard="{shard}",
        clip=folder_of_shard,
        config=study.prior_data.model_dump_json(),
        tracker=study.track_hand.model_dump_json(),
        start=study.fit_clip.start.model_dump_json(),
        reach_m=study.fit_clip.rays.reach_m,
        film=study.prepare_clip.procedural.model_dump_json(),
        hand=study.hand.model_dump_json(),
        seed=study.seed,
    shell:
        "python -m hoi prior_data --shard {params.shard} --clip {params.clip:q} --config {params.config:q} --tracker {params.tracker:q}"
        " --start {params.start:q} --reach_m {params.reach_m} --film {params.film:q} --hand {params.hand:q}"
        " --seed {params.seed} --output {output.shard:q} --log {log:q} 2> {log:q}"


rule train_prior:
    """The denoiser; a killed training goes on from results/prior/checkpoint."""
    input:
        shards=training_shards,
        held_out=held_out_shards,
    output:
        weights=directory("results/prior/weights"),
        record="results/provenance/prior/weights.json",
        history="results/prior/history.parquet",
        samples="results/prior/samples.png",
        run="results/prior/run.json",
    log:
        "results/logs/train_prior/train_prior.log",
    cache: True
    conda:
        "../../environment.yml"
    threads: 2
    params:
        code=code("train_prior"),
        data=study.prior_data.model_dump_json(),
        config=study.train_prior.model_dump_json(),
        seed=study.seed,
        checkpoint="results/prior/checkpoint",
    shell:
        "python -m hoi train_prior --shards {input.shards:q} --held_out {input.held_out:q} --data {params.data:q}"
        " --config {params.config:q} --seed {params.seed} --threads {threads} --checkpoint {params.checkpoint:q}"
        " --weights {output.weights:q} --history {output.history:q} --samples {output.samples:q} --run {output.run:q}"
        " 2> {log:q}"


rule prior_memory:
    """Training objects and how hands held them, to be recalled by a fit."""
    output:
        memory="results/prior/memory.npz",
        record="results/provenance/prior/memory.npz.json",
    log:
        "results/logs/prior_memory/prior_memory.log",
    cache: True
    conda:
        "../../environment.yml"
    params:
        code=code("prior_memory"),
        config=study.prior_memory.model_dump_json(),
        grasp=study.prior_data.grasp.model_dump_json(),
    shell:
        "python -m hoi prior_memory --config {params.config:q} --grasp {params.grasp:q} --output {output.memory:q} 2> {log:q}"
