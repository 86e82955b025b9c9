"""`results/README.md`: every file of the workflow, written from the schemas; a test keeps the page equal to this."""

from dataclasses import dataclass

from hoi.artefacts import SCHEMAS


@dataclass(frozen=True)
class FileKind:
    """One kind of file under `results/`."""

    path: str
    what: str
    made_by: str
    read_by: str
    schema: str | None = None


FILES = (
    FileKind("prior/data/{shard}.npz", "pictures of held objects in novel views", "prior_data", "train_prior",
             "prior_renders"),
    FileKind("prior/memory.npz", "training objects that the prior remembers, and how hands held them", "prior_memory",
             "fit_clip, where the config says `prior: trained`", "prior_memory"),
    FileKind("prior/weights/", "the denoiser: model.safetensors, config.json (network, schedule, views, renderer), "
             "README.md (model card)", "train_prior", "fit_clip, where the config says `prior: trained`"),
    FileKind("prior/history.parquet", "a row every few steps: step, seconds, loss, now and then the held-out error of ε "
             "by noise level", "train_prior", "people"),
    FileKind("prior/samples.png", "a row a held-out hand: hand, true normals, two samples' normals, depth of the first, "
             "true depth, a sample without the hand", "train_prior", "people"),
    FileKind("prior/run.json", "commit, settings, seed, device, hours, held-out errors by condition", "train_prior",
             "people"),
    FileKind("prior/checkpoint/DIGEST/", "state of an unfinished training of these data, settings and code, and the weights "
             "of that moment; replaced every few minutes, gone when it ends", "train_prior", "train_prior, when it was killed"),
    FileKind("masknet/data/{shard}.npz", "frames of made clips about the hand, with true labels", "mask_data", "train_masks",
             "mask_frames"),
    FileKind("masknet/weights/", "the masker's network: model.safetensors, config.json, README.md (model card)", "train_masks",
             "mask_clip, where the config says `masks: trained`"),
    FileKind("masknet/history.parquet", "a row every few steps: step, seconds, loss, now and then IoU on held-out frames",
             "train_masks", "people"),
    FileKind("masknet/run.json", "commit, settings, seed, device, hours, held-out IoU", "train_masks", "people"),
    FileKind("masknet/checkpoint/DIGEST/", "state of an unfinished training, likewise", "train_masks",
             "train_masks, when it was killed"),
    FileKind("clips/{clip}/", "clip folder as in docs/clip_folder.md, with source.json (path, sha256, frame indices, "
             "scale, where the truth lies), and failure.json if it could not be read",
             "prepare_clip", "all later stages; `gt/` by score_clip and report_clip alone"),
    FileKind("clips/{clip}.sha256", "path and sha256 of each of these files", "prepare_clip", "Snakemake: by it, not by its "
             "time, a clip has changed"),
    FileKind("clips/{clip}/hands.npz", "given hands", "prepare_clip", "track_hand (`given`, `noisy`)", "given_hands"),
    FileKind("clips/{clip}/tracks.npz", "another tracker's keypoints or MANO parameters", "prepare_clip",
             "track_hand (`file`)", "tracks"),
    FileKind("clips/{clip}/gt/poses.npz", "true poses of made clips and of data sets", "prepare_clip",
             "score_clip, report_clip", "true_poses"),
    FileKind("clips/{clip}/gt/depth.npz", "true depth of made clips", "prepare_clip", "nobody yet", "true_depth"),
    FileKind("hands/{variant}/{clip}.npz", "the tracked hand", "track_hand",
             "mask_clip, fit_clip, score_clip, report_clip", "hands"),
    FileKind("hands/{variant}/{clip}.json", "how well it was tracked: coverage, gaps, reprojection error (pixels, and of the "
             "hand's size), jitter (second difference, mm), side; where the focal length is from", "track_hand",
             "report_clip"),
    FileKind("masks/{variant}/{clip}.npz", "visible pixels", "mask_clip",
             "fit_clip, show_clip, score_clip, report_clip", "masks"),
    FileKind("fits/{variant}/{clip}/object.ply", "object surface: object frame, metres, watertight, one component",
             "fit_clip", "show_clip, score_clip, report_clip, make_figure"),
    FileKind("fits/{variant}/{clip}/poses.npz", "refined hand, object and camera", "fit_clip",
             "show_clip, score_clip, report_clip, make_figure", "poses"),
    FileKind("fits/{variant}/{clip}/history.parquet", "a row a logged step, a column a loss term", "fit_clip",
             "people, make_figure"),
    FileKind("fits/{variant}/{clip}/run.json", "commit, dirty, settings, seed, seconds, versions, threads; hands, masks: "
             "tracker and masker; body: recalled, imagined or none", "fit_clip",
             "score_clip, report_clip, make_report"),
    FileKind("fits/{variant}/{clip}/scene.glb", "animated hand and object, glTF 2.0 (y up), metres", "fit_clip", "people"),
    FileKind("fits/{variant}/{clip}/checkpoint/", "state of the fit, replaced every minute, gone when it has ended", "fit_clip",
             "fit_clip, when it was killed"),
    FileKind("fits/{variant}/{clip}/coloured.ply, .glb", "the object in the frames' colours, and the scene with it; vertex "
             "property `seen`: 0 inferred, towards 1 seen in several views", "show_clip", "people, report_clip"),
    FileKind("fits/{variant}/{clip}/still.png", "input, overlay, novel views", "show_clip", "people"),
    FileKind("fits/{variant}/{clip}/overlay.mp4", "fit drawn over the frames, H.264", "show_clip", "people, report_clip"),
    FileKind("scores/{variant}/{clip}.json", "clip, category, variant, failed (and why) and every metric (hoi/metrics.py); null "
             "where the truth does not say; digests of what made it", "score_clip",
             "make_table, make_figure, report_clip, make_report"),
    FileKind("tables/{table}.csv, .md, .tex", "one table", "make_table", "people; make_report (.csv, .md)"),
    FileKind("own_clip.tsv", "the clips table of `make clip`: one row", "`make clip`", "the workflow, with config/own_clip.yaml"),
    FileKind("figures/{figure}.pdf, .png", "one figure: vector PDF, and PNG", "make_figure", "people"),
    FileKind("report/clips/{clip}/", "one clip's page: index.html, data.js (what its viewer shows), frames, films",
             "report_clip", "people"),
    FileKind("report/index.html, report/site/", "the report's first page; style, viewer and tables of all pages",
             "make_report", "people"),
    FileKind("provenance/PATH.json", "of the file PATH: stage, inputs and outputs with sha256, commit, dirty, code, settings, "
             "seed, versions, host, device, SLURM job, times", "every stage", "every stage; `hoi provenance`"),
    FileKind("logs/, benchmarks/", "standard error, and seconds and memory, of every job", "every stage", "people"),
)  # fmt: skip

HEAD = """# Results

Written by the workflow, read by the stages named here; git-ignored but for this page, which `hoi/artefact_page.py` writes.
Lengths are metres, angles radians, image positions pixels (pixel centres at half-integers); `T_a_b` takes coordinates in
frame b to frame a; the camera is OpenCV's (x right, y down, z forward). N is the number of frames, H and W their size.
A variant's file may be that of an earlier variant in the config with the same settings. Where a clip's data did not allow a
stage (no hand, empty masks, an empty surface), this file and those that follow from it hold the reason instead, as JSON with
the one key `hoi_failure`; every reader raises it again, scores say `failed`, pictures show it.

| file | what | made by | read by |
|---|---|---|---|
"""


def artefact_page() -> str:
    """The page as Markdown."""
    rows = [f"| `{f.path}` | {f.what} | {f.made_by} | {f.read_by} |" for f in FILES]
    sections = [_schema_section(f) for f in FILES if f.schema]
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(sections)


def _schema_section(file: FileKind) -> str:
    head = f"## `{file.path}`\n| key | dtype | shape | meaning |\n|---|---|---|---|\n"
    rows = [
        f"| `{key}` | {a.dtype} | {a.shape or 'scalar'} | {a.meaning} |" for key, a in SCHEMAS[str(file.schema)].items()
    ]
    return head + "\n".join(rows) + "\n"
