"""Pictures of every fit, and the report that a browser opens.

input:   results/fits/{variant}/{clip}/, results/clips/{clip} and its truth, results/hands/, masks/, scores/ and tables/
output:  results/fits/{variant}/{clip}/still.png, overlay.mp4, coloured.{ply,glb}; results/report/index.html, clips/{clip}/, site/
"""


rule show_clip:
    """The object in its colours; overlay video, and a still of input, overlay and novel views."""
    input:
        clip=ancient("results/clips/{clip}"),
        sums="results/clips/{clip}.sha256",
        masks=made_by("mask_clip", "results/masks/{variant}/{clip}.npz"),
        mesh=made_by("fit_clip", "results/fits/{variant}/{clip}/object.ply"),
        poses=made_by("fit_clip", "results/fits/{variant}/{clip}/poses.npz"),
    output:
        still=report(
            "results/fits/{variant}/{clip}/still.png",
            caption="../report/still.rst",
            category="Stills",
            subcategory="{variant}",
        ),
        overlay="results/fits/{variant}/{clip}/overlay.mp4",
        coloured="results/fits/{variant}/{clip}/coloured.ply",
        scene="results/fits/{variant}/{clip}/coloured.glb",
    log:
        "results/logs/show_clip/{variant}/{clip}.log",
    benchmark:
        "results/benchmarks/show_clip/{variant}/{clip}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("show_clip"),
        config=settings("show_clip"),
    shell:
        "python -m hoi show_clip --clip {input.clip:q} --masks {input.masks:q} --mesh {input.mesh:q}"
        " --poses {input.poses:q} --config {params.config:q} --still_path {output.still:q} --overlay {output.overlay:q}"
        " --coloured {output.coloured:q} --coloured_scene {output.scene:q} 2> {log:q}"


rule report_clip:
    """One clip's page: frames, masks, tracks, 3D, errors, settings and films of some variants side by side."""
    input:
        clip=ancient("results/clips/{clip}"),
        sums="results/clips/{clip}.sha256",
        truth=files_of("gt/*", "gt/masks/*/*"),
        hands=shown("track_hand", "results/hands/{variant}/{clip}.npz"),
        tracks=shown("track_hand", "results/hands/{variant}/{clip}.json"),
        masks=shown("mask_clip", "results/masks/{variant}/{clip}.npz"),
        meshes=shown("fit_clip", "results/fits/{variant}/{clip}/object.ply"),
        poses=shown("fit_clip", "results/fits/{variant}/{clip}/poses.npz"),
        runs=shown("fit_clip", "results/fits/{variant}/{clip}/run.json"),
        overlays=shown("show_clip", "results/fits/{variant}/{clip}/overlay.mp4"),
        coloured=shown("show_clip", "results/fits/{variant}/{clip}/coloured.ply"),
        scores=shown(None, "results/scores/{variant}/{clip}.json"),
    output:
        page=directory("results/report/clips/{clip}"),
    log:
        "results/logs/report_clip/{clip}.log",
    benchmark:
        "results/benchmarks/report_clip/{clip}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("report_clip"),
        variants=shown_variants,
        config=study.report_clip.model_dump_json(),
        seed=study.seed,
    shell:
        "python -m hoi report_clip --clip {input.clip:q} --variants {params.variants:q} --hands {input.hands:q} --tracks {input.tracks:q}"
        " --masks {input.masks:q} --meshes {input.meshes:q} --poses {input.poses:q} --runs {input.runs:q}"
        " --overlays {input.overlays:q} --coloured {input.coloured:q} --scores {input.scores:q} --config {params.config:q} --seed {params.seed}"
        " --output {output.page:q} 2> {log:q}"


rule make_report:
    """The report's first page over the pages of all clips."""
    input:
        pages=ancient(files_of_report("results/report/clips/{clip}")),
        scores=files_of_report("results/scores/{variant}/{clip}.json"),
        runs=files_of_report("results/fits/{variant}/{clip}/run.json", "fit_clip"),
        tables=expand("results/tables/{table}.md", table=study.tables),
        csv=expand("results/tables/{table}.csv", table=study.tables),
    output:
        site=directory("results/report/site"),
        index="results/report/index.html",
    log:
        "results/logs/make_report.log",
    benchmark:
        "results/benchmarks/make_report.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("make_report"),
        config=study.make_report.model_dump_json(),
    shell:
        "python -m hoi make_report --scores {input.scores:q} --runs {input.runs:q} --tables {input.tables:q}"
        " --csv {input.csv:q} --config {params.config:q} --site {output.site:q} --index {output.index:q} 2> {log:q}"
