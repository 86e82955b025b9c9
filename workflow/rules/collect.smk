"""What the prior, tables, figures and the report are made of: files of many clips and variants."""

prior_clips = [*study.prior_data.clips, *(f"results/clips/{name}" for name in training)]


def clip_of_shard(wildcards):
    """Input: the clip of a shard beyond the procedural ones, file by file; nothing for those."""
    number = int(wildcards.shard) - study.prior_data.shards
    folders = [prior_clips[number]] if 0 <= number < len(prior_clips) else []
    return [f for folder in folders for f in _parts(folder)]


def _parts(folder):
    """A folder that a rule makes, with its checksums; the files of one that the user has."""
    if folder.startswith("results/"):
        return [ancient(folder), f"{folder}.sha256"]
    return sorted(str(p) for p in Path(folder).rglob("*") if p.is_file())


def folder_of_shard(wildcards):
    """Parameter: the clip folder of a shard beyond the procedural ones; nothing for those."""
    number = int(wildcards.shard) - study.prior_data.shards
    return prior_clips[number : number + 1] if number >= 0 else []


def shards(first, beyond):
    """Files of a range of shards."""
    return [f"results/prior/data/{k}.npz" for k in range(first, beyond)]


def held_out_shards(wildcards):
    """Input: the shards for validation."""
    return shards(0, study.prior_data.held_out)


def training_shards(wildcards):
    """Input: the shards to train on."""
    return shards(study.prior_data.held_out, study.prior_data.shards + len(prior_clips))


def mask_shards(first, beyond):
    """Files of a range of the shards of the masker's network."""
    return [f"results/masknet/data/{k}.npz" for k in range(first, beyond)]


def pairs(variants):
    """Pairs (variant, clip) that can run."""
    return [(v, c) for v in variants for c, row in clips.items() if study.runs_on(v, row)]


def table_definition(wildcards):
    """Parameter: a table's definition, as one JSON word."""
    return study.tables[wildcards.table].model_dump_json()


def scores_of_table(wildcards):
    """Input: the scores of every clip under every variant of a table."""
    chosen = pairs(study.tables[wildcards.table].variants)
    return [f"results/scores/{v}/{c}.json" for v, c in chosen]


def figure_definition(wildcards):
    """Parameter: a figure's definition, as one JSON word."""
    return study.figures[wildcards.figure].model_dump_json()


def of_figure(pattern):
    """Input or parameter: one word for each variant and clip of a figure."""

    def words(wildcards):
        figure = study.figures[wildcards.figure]
        chosen = [(v, c) for v, c in pairs(figure.variants) if not figure.clips or c in figure.clips]
        return [pattern.format(variant=v, clip=c, owner=study.owner(v, "fit_clip")) for v, c in chosen]

    return words


def shown_variants(wildcards):
    """Parameter: the variants side by side on a clip's page."""
    clip_row(wildcards)
    return [v for v in study.report_clip.variants if study.runs_on(v, clips[wildcards.clip])]


def shown(stage, path):
    """Input: a stage's file of every variant on a clip's page, in their order."""
    return lambda wildcards: [
        path.format(clip=wildcards.clip, variant=study.owner(v, stage) if stage else v)
        for v in shown_variants(wildcards)
    ]


def files_of_report(path, stage=None):
    """Input: a file of every clip and variant in the report; of the variant that owns a stage's result, if one is given."""
    chosen = pairs(study.report_clip.variants)
    return list(dict.fromkeys(path.format(clip=c, variant=study.owner(v, stage) if stage else v) for v, c in chosen))


def pictures_of_all():
    """The stills of every fit in any table."""
    shown = {v for table in study.tables.values() for v in table.variants}
    owned = {(study.owner(v, "show_clip"), c) for v, c in pairs(sorted(shown))}
    return [f"results/fits/{v}/{c}/still.png" for v, c in sorted(owned)]
