"""`hoi view CLIP`: every fit of a clip in the browser, live."""

import sys
import time
from contextlib import suppress
from pathlib import Path

from hoi.artefacts import read_npz
from hoi.clip import read_clip
from hoi.errors import DataFailure, InputError
from hoi.hand.choice import hand_of
from hoi.meshes import read_mesh
from hoi.present.hands import hand_vertices_cam
from hoi.present.live import LiveView, load_viser
from hoi.present.overlay import Fitted, MovingObject


def view(clip: str, /, results: Path = Path("results"), host: str = "localhost", port: int = 8080) -> None:
    """Serve a live 3D view of a clip's fits until it is interrupted (Ctrl-C). `--host 0.0.0.0` shows it to the network."""
    load_viser()
    paths = sorted((results / "fits").glob(f"*/{clip}/object.ply")) if clip.strip("*?[]/.") == clip else []
    fits = {path.parent.parent.name: fitted for path in paths if (fitted := _read_fit(path.parent))}
    if not fits:
        known = sorted({path.parent.name for path in (results / "fits").glob("*/*/object.ply")})
        raise InputError(
            results / "fits", f"no fit of {clip!r} with an object; fits of: {', '.join(known) or 'nothing'}",
            "results/fits/VARIANT/CLIP/object.ply", f"snakemake -c2 results/fits/diffhoi/{clip}/object.ply",
        )  # fmt: skip
    source = read_clip(results / "clips" / clip)
    with suppress(KeyboardInterrupt):
        try:
            live = LiveView(fits, source.frames(), float(source.info.fps or 15), host, port)
        except OSError as error:
            raise InputError(f"port {port} of {host}", str(error), "a free port", "choose one: --port 8081") from error
        sys.stderr.write(f"{clip}: {', '.join(fits)}\nopen http://{host}:{live.server.get_port()}   (Ctrl-C ends)\n")
        while True:
            time.sleep(live.step())


def _read_fit(folder: Path) -> Fitted | None:
    """A fit as its stage wrote it; None if it failed."""
    try:
        mesh, p = read_mesh(folder / "object.ply"), read_npz("poses", folder / "poses.npz")
    except DataFailure:
        return None
    if len(mesh.faces) == 0:
        return None
    hand = hand_of(p)
    vertices = hand_vertices_cam(hand, p["pose"], p["betas"], p["T_cam_hand"])
    return Fitted(MovingObject(mesh, p["T_cam_obj"]), vertices, hand.faces.numpy(), p["K"])
