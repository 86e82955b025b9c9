"""The object's shape and the refined hand.

input:   results/hands/{variant}/{clip}.npz, results/masks/{variant}/{clip}.npz, the prior's weights
output:  results/fits/{variant}/{clip}/  object.ply, poses.npz, history.parquet, run.json, scene.glb
"""


rule fit_clip:
    """Shape, hand and poses; a killed fit goes on from its checkpoint, beside its outputs."""
    input:
        clip=ancient("results/clips/{clip}"),
        sums="results/clips/{clip}.sha256",
        hands=made_by("track_hand", "results/hands/{variant}/{clip}.npz"),
        masks=made_by("mask_clip", "results/masks/{variant}/{clip}.npz"),
        prior=prior_weights,
        weights=weights_of(prior_weights),
    output:
        mesh="results/fits/{variant}/{clip}/object.ply",
        poses="results/fits/{variant}/{clip}/poses.npz",
        history="results/fits/{variant}/{clip}/history.parquet",
        scene="results/fits/{variant}/{clip}/scene.glb",
        run="results/fits/{variant}/{clip}/run.json",
    log:
        "results/logs/fit_clip/{variant}/{clip}.log",
    benchmark:
        "results/benchmarks/fit_clip/{variant}/{clip}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    params:
        code=code("fit_clip"),
        config=settings("fit_clip"),
        seed=study.seed,
        checkpoint="results/fits/{variant}/{clip}/checkpoint",
    shell:
        "python -m hoi fit_clip --clip {input.clip:q} --hands {input.hands:q} --masks {input.masks:q}"
        " --prior {input.prior:q} --config {params.config:q} --seed {params.seed} --threads {threads}"
        " --checkpoint {params.checkpoint:q} --mesh {output.mesh:q} --poses {output.poses:q}"
        " --history {output.history:q} --scene {output.scene:q} --run {output.run:q} --log {log:q} 2> {log:q}"
