"""Any source to one clip folder.

input:   the video or folder that a row of the clips table names (nothing for procedural clips)
output:  results/clips/{clip}/   frames/, clip.yaml, source.json and, where known, masks/, hands.npz, gt/
         results/clips/{clip}.sha256   of each of these files: by it later rules tell whether the clip has changed
"""


rule prepare_clip:
    """Read or render a clip's frames; write them with what is known of them as a clip folder."""
    input:
        media=files_of("clip.*", "frames/*", "masks/*/*", "hands.npz", "tracks.npz"),
    output:
        clip=directory("results/clips/{clip}"),
        sums="results/clips/{clip}.sha256",
    log:
        "results/logs/prepare_clip/{clip}.log",
    benchmark:
        "results/benchmarks/prepare_clip/{clip}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("prepare_clip"),
        row=clip_row,
        config=study.prepare_clip.model_dump_json(),
        hand=study.hand.model_dump_json(),
    shell:
        "python -m hoi prepare_clip --row {params.row:q} --config {params.config:q}"
        " --hand {params.hand:q} --output {output.clip:q} --sums {output.sums:q} --log {log:q} 2> {log:q}"
