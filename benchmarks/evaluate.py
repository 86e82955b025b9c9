"""Seconds of all metrics of one clip, one thread. Run: OMP_NUM_THREADS=1 python benchmarks/evaluate.py RESULTS_DIR

RESULTS_DIR is a `results/` with fits; nothing is written there.
"""

import argparse
import time
from pathlib import Path

import trimesh
import yaml
from rich.console import Console
from rich.table import Table

from hoi.artefacts import read_npz
from hoi.clip import read_clip, read_frames_size, read_truth
from hoi.config import ScoreClip
from hoi.evaluate import protocols, score
from hoi.evaluate.score import Hand, Placed
from hoi.geometry.raycast import visible_masks
from hoi.geometry.registration import Search
from hoi.geometry.sampling import sample_surface
from hoi.present.hands import open_hand_cam


def timed(rows, name, run):
    """Run once; note the seconds, and in brackets those of the processor (they tell more on a shared machine)."""
    start, cpu = time.perf_counter(), time.process_time()
    run()
    rows[name] = f"{time.perf_counter() - start:.1f} ({time.process_time() - cpu:.1f})"


def of_clip(results, variant, clip, settings):
    """Seconds of each group of metrics of one fit."""
    rows = {}
    fit, truth, source = (
        results / f"fits/{variant}/{clip}",
        read_truth(results / f"clips/{clip}"),
        read_clip(results / f"clips/{clip}"),
    )
    poses, given = read_npz("poses", fit / "poses.npz"), source.given_hands()
    hands = [Hand(*open_hand_cam(p, bool(poses["is_right"]))) for p in (poses, given)]
    pred = Placed(trimesh.load_mesh(fit / "object.ply"), poses["T_cam_obj"], poses["joints_cam"], hands[0])
    true = Placed(trimesh.load_mesh(truth.object_path), truth.poses["T_cam_obj"], truth.poses["joints_cam"], hands[1])
    search = Search(**settings.registration.model_dump())
    p, t = (sample_surface(m.vertices, m.faces, settings.samples, i) for i, m in enumerate((pred.mesh, true.mesh)))
    timed(rows, "diffhoi", lambda: protocols.diffhoi(p, t, search))
    timed(rows, "hold", lambda: protocols.hold(pred.mesh.vertices, true.mesh.vertices, p[::10], t[::10], search))
    timed(rows, "all shape", lambda: score.score_shape(pred.mesh, true.mesh, settings, 0))
    timed(rows, "motion", lambda: score.score_motion(pred, true, settings, 0))
    timed(rows, "hand", lambda: score.score_hand(pred.joints_cam, true.joints_cam, 15.0))
    timed(rows, "contact", lambda: score.score_contact(pred, true))
    K, size = poses["K"], read_frames_size(results / f"clips/{clip}")[::-1]
    surface = pred.mesh.vertices, pred.mesh.faces
    timed(
        rows,
        "silhouettes",
        lambda: visible_masks(surface, pred.T_cam_obj, hands[0].vertices_cam, hands[0].faces, K, *size),
    )
    timed(rows, "all but silhouettes", lambda: score.score_placed(pred, true, settings, 0, 15.0))
    return rows


def main() -> None:
    """Print a row a clip."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("--variant", default="diffhoi")
    parser.add_argument("--clips", nargs="+", default=["mug_0", "knife_0", "kettle_1"])
    args = parser.parse_args()
    config = yaml.safe_load((Path(__file__).parents[1] / "config/config.yaml").read_text())
    settings = ScoreClip.model_validate(config["score_clip"])
    table = None
    for clip in args.clips:
        rows = of_clip(args.results, args.variant, clip, settings)
        table = table or Table("clip", *rows)
        table.add_row(clip, *rows.values())
    Console().print(table)


if __name__ == "__main__":
    main()
