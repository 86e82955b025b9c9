"""What the frames show: the moving hand, then the visible pixels of hand and object.

input:   results/clips/{clip}
output:  results/hands/{variant}/{clip}.npz and .json, results/masks/{variant}/{clip}.npz
"""


rule track_hand:
    """The holding hand in every frame: pose, shape and place in the camera."""
    input:
        clip=ancient("results/clips/{clip}"),
        sums="results/clips/{clip}.sha256",
    output:
        hands="results/hands/{variant}/{clip}.npz",
        quality="results/hands/{variant}/{clip}.json",
    log:
        "results/logs/track_hand/{variant}/{clip}.log",
    benchmark:
        "results/benchmarks/track_hand/{variant}/{clip}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("track_hand"),
        config=settings("track_hand"),
        hand=settings("hand"),
        seed=study.seed,
    shell:
        "python -m hoi track_hand --clip {input.clip:q} --config {params.config:q} --hand {params.hand:q}"
        " --seed {params.seed} --output {output.hands:q} --quality {output.quality:q} --log {log:q} 2> {log:q}"


rule mask_clip:
    """Visible pixels of the holding hand and of the held object in every frame."""
    input:
        clip=ancient("results/clips/{clip}"),
        sums="results/clips/{clip}.sha256",
        hands=made_by("track_hand", "results/hands/{variant}/{clip}.npz"),
        network=mask_network,
        weights=weights_of(mask_network),
    output:
        masks="results/masks/{variant}/{clip}.npz",
    log:
        "results/logs/mask_clip/{variant}/{clip}.log",
    benchmark:
        "results/benchmarks/mask_clip/{variant}/{clip}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("mask_clip"),
        config=settings("mask_clip"),
    shell:
        "python -m hoi mask_clip --clip {input.clip:q} --hands {input.hands:q} --network {input.network:q}"
        " --config {params.config:q} --output {output.masks:q} --log {log:q} 2> {log:q}"
