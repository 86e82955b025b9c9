"""The masker's network: made frames with true labels, and the U-Net trained on them.

input:   nothing (procedural training instances)
output:  results/masknet/data/{shard}.npz, results/masknet/weights/ (used where the config says `masks: trained`); and
         their records, which Snakemake's cache shares with them
"""


rule mask_data:
    """One shard of frames: training instances in their best grasps, each filmed anew."""
    output:
        shard="results/masknet/data/{shard}.npz",
        record="results/provenance/masknet/data/{shard}.npz.json",
    log:
        "results/logs/mask_data/{shard}.log",
    cache: True
    conda:
        "../../environment.yml"
    params:
        code=code("mask_data"),
        shard="{shard}",
        config=study.mask_data.model_dump_json(),
        network=study.train_masks.network.model_dump_json(),
        grasp=study.prior_data.grasp.model_dump_json(),
        film=study.prepare_clip.procedural.model_dump_json(),
        working_px=study.mask_clip.working_px,
    shell:
        "python -m hoi mask_data --shard {params.shard} --config {params.config:q} --network {params.network:q}"
        " --grasp {params.grasp:q} --film {params.film:q} --working_px {params.working_px} --output {output.shard:q} 2> {log:q}"


rule train_masks:
    """The network; a killed training goes on from results/masknet/checkpoint."""
    input:
        shards=mask_shards(study.mask_data.held_out, study.mask_data.shards),
        held_out=mask_shards(0, study.mask_data.held_out),
    output:
        weights=directory("results/masknet/weights"),
        record="results/provenance/masknet/weights.json",
        history="results/masknet/history.parquet",
        run="results/masknet/run.json",
    log:
        "results/logs/train_masks/train_masks.log",
    cache: True
    conda:
        "../../environment.yml"
    threads: 2
    params:
        code=code("train_masks"),
        config=study.train_masks.model_dump_json(),
        seed=study.seed,
        checkpoint="results/masknet/checkpoint",
    shell:
        "python -m hoi train_masks --shards {input.shards:q} --held_out {input.held_out:q} --config {params.config:q}"
        " --seed {params.seed} --threads {threads} --checkpoint {params.checkpoint:q} --weights {output.weights:q}"
        " --history {output.history:q} --run {output.run:q} 2> {log:q}"
