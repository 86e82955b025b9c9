"""Pictures of every fit.

input:   results/fits/{variant}/{clip}/, results/clips/{clip}, results/masks/{variant}/{clip}.npz
output:  results/fits/{variant}/{clip}/still.png, overlay.mp4
"""


rule show_clip:
    """Overlay video, and a still of input, overlay and novel views."""
    input:
        clip="results/clips/{clip}",
        mesh=made_by("fit_clip", "results/fits/{variant}/{clip}/object.ply"),
        poses=made_by("fit_clip", "results/fits/{variant}/{clip}/poses.npz"),
        code=stage_code("show_clip"),
    output:
        still="results/fits/{variant}/{clip}/still.png",
        overlay="results/fits/{variant}/{clip}/overlay.mp4",
    log:
        "results/logs/show_clip/{variant}/{clip}.log",
    benchmark:
        "results/benchmarks/show_clip/{variant}/{clip}.tsv"
    conda:
        "../../environment.yml"
    params:
        config=settings("show_clip"),
    shell:
        "python -m hoi show_clip --clip {input.clip:q} --mesh {input.mesh:q} --poses {input.poses:q}"
        " --config {params.config:q} --still_path {output.still:q} --overlay {output.overlay:q} 2> {log:q}"
