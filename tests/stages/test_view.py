"""`hoi view`: it starts, answers on its port, shows every frame, and stops."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from hoi import cli
from hoi.imports import PACKAGE
from hoi.view import view

from .made import write_fits, write_source


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    write_source(root / "clips/cup")
    write_fits(root / "fits", "cup")
    return root


def free_port():
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        return taken.getsockname()[1]


def answer(port, patience_s=60.0):
    """What the viewer's port says, as soon as it says something."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/", timeout=5) as page:
                return page.read().decode()
        except OSError:
            assert time.monotonic() < deadline, "no answer"
            time.sleep(0.2)


def test_it_serves_a_page_until_it_is_interrupted(results):
    pytest.importorskip("viser", reason="no viser: pip install -e '.[view]'")
    port = free_port()
    command = [sys.executable, "-m", "hoi", "view", "cup", "--results", str(results), "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # in the background of a shell too
    ) as run:  # fmt: skip
        try:
            said = next(run.stderr) + next(run.stderr)
            assert "<html" in answer(port)
        finally:
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=30)
    assert run.returncode == 0
    assert said == f"cup: box\nopen http://localhost:{port}   (Ctrl-C ends)\n", "the broken fit has nothing to show"


def test_frames_bodies_and_film(results, monkeypatch):
    viser = pytest.importorskip("viser", reason="no viser: pip install -e '.[view]'")
    seen = {}

    class Stop(KeyboardInterrupt):
        pass

    def look(seconds):
        live = seen["live"]
        assert seconds == pytest.approx(0.1), "the clip has 10 frames per second"
        assert not (live.camera.image == 0).all()
        live.see["hand"].value = False
        live.playing.value = True
        for frame in (1, 2, 3, 0):
            live.step()
            live.show()
            assert live.time.value == frame
            assert live.object.position == pytest.approx(live.fits["box"].fitted.object.T_cam_obj[frame, :3, 3])
        assert not live.hand.visible and live.object.visible
        raise Stop

    import hoi.view

    made = hoi.view.LiveView
    monkeypatch.setattr(hoi.view, "LiveView", lambda *words: seen.setdefault("live", made(*words)))
    monkeypatch.setattr(hoi.view.time, "sleep", look)
    view("cup", results=results, port=free_port())
    assert isinstance(seen["live"].server, viser.ViserServer)


@pytest.mark.parametrize("clip", ["cap", "*", "../fits"])
def test_a_clip_without_fits_is_answered_with_those_that_have_some(results, capsys, clip):
    pytest.importorskip("viser", reason="no viser: pip install -e '.[view]'")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["view", clip, "--results", str(results)])
    said = capsys.readouterr().err
    assert "fits of: cup" in said and "snakemake" in said


def test_without_viser_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["view", "cup"])
    assert "pip install -e '.[view]'" in capsys.readouterr().err
