"""Figures over clips and variants.

input:   results/scores/{variant}/{clip}.json, results/fits/{variant}/{clip}/, results/clips/{clip}
output:  results/figures/{figure}.{pdf,png}
"""


rule make_figure:
    """One figure: pictures of several methods side by side, error along a setting, or loss curves."""
    input:
        scores=of_figure("results/scores/{variant}/{clip}.json"),
        meshes=of_figure("results/fits/{owner}/{clip}/object.ply"),
        poses=of_figure("results/fits/{owner}/{clip}/poses.npz"),
        histories=of_figure("results/fits/{owner}/{clip}/history.parquet"),
        clips=ancient(of_figure("results/clips/{clip}")),
        sums=of_figure("results/clips/{clip}.sha256"),
    output:
        pdf="results/figures/{figure}.pdf",
        png="results/figures/{figure}.png",
    log:
        "results/logs/make_figure/{figure}.log",
    benchmark:
        "results/benchmarks/make_figure/{figure}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("make_figure"),
        names=of_figure("{variant}/{clip}"),
        config=figure_definition,
        seed=study.seed,
    shell:
        "python -m hoi make_figure --names {params.names:q} --scores {input.scores:q} --meshes {input.meshes:q}"
        " --poses {input.poses:q} --histories {input.histories:q} --clips {input.clips:q} --config {params.config:q} --seed {params.seed}"
        " --pdf {output.pdf:q} --png {output.png:q} 2> {log:q}"
