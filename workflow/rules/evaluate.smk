"""Metrics of every fit, and tables of them.

input:   results/fits/{variant}/{clip}/, results/clips/{clip} and its truth
output:  results/scores/{variant}/{clip}.json, results/tables/{table}.{csv,md,tex}
"""


rule score_clip:
    """All metrics of one fit against what is known of the clip."""
    input:
        clip=ancient("results/clips/{clip}"),
        sums="results/clips/{clip}.sha256",
        truth=files_of("gt/*", "gt/masks/*/*"),
        masks=made_by("mask_clip", "results/masks/{variant}/{clip}.npz"),
        hands=made_by("track_hand", "results/hands/{variant}/{clip}.npz"),
        mesh=made_by("fit_clip", "results/fits/{variant}/{clip}/object.ply"),
        poses=made_by("fit_clip", "results/fits/{variant}/{clip}/poses.npz"),
        run=made_by("fit_clip", "results/fits/{variant}/{clip}/run.json"),
    output:
        scores="results/scores/{variant}/{clip}.json",
    log:
        "results/logs/score_clip/{variant}/{clip}.log",
    benchmark:
        "results/benchmarks/score_clip/{variant}/{clip}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("score_clip"),
        row=clip_row,
        hand=settings("hand"),
        config=settings("score_clip"),
        seed=study.seed,
    shell:
        "python -m hoi score_clip --row {params.row:q} --variant {wildcards.variant} --clip {input.clip:q}"
        " --hands {input.hands:q} --masks {input.masks:q} --mesh {input.mesh:q} --poses {input.poses:q}"
        " --run {input.run:q} --hand {params.hand:q} --config {params.config:q} --seed {params.seed} --output {output.scores:q}"
        " 2> {log:q}"


rule make_table:
    """One table over all clips and the variants that it names."""
    input:
        scores=scores_of_table,
        clips=study.clips,
        reported="config/reported.tsv",
    output:
        csv=report("results/tables/{table}.csv", caption="../report/table.rst", category="Tables"),
        md="results/tables/{table}.md",
        tex="results/tables/{table}.tex",
    log:
        "results/logs/make_table/{table}.log",
    benchmark:
        "results/benchmarks/make_table/{table}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("make_table"),
        config=table_definition,
        seed=study.seed,
    shell:
        "python -m hoi make_table --scores {input.scores:q} --clips {input.clips:q} --reported {input.reported:q}"
        " --config {params.config:q} --seed {params.seed}"
        " --csv {output.csv:q} --md {output.md:q} --tex {output.tex:q} 2> {log:q}"
