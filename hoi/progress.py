"""Progress of long work: a bar on a terminal, a plain line now and then in a log."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

LINE_EVERY_SECONDS = 5.0


class Progress:
    """`with Progress("fit_clip") as progress: progress(step, total, "loss 0.12")`."""

    def __init__(self, title: str) -> None:
        self._title, self._started, self._last_line = title, time.monotonic(), -LINE_EVERY_SECONDS
        self._console = Console(file=sys.stderr)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=self._console) if self._console.is_terminal else None
        self._task = self._bar.add_task(title, total=None) if self._bar else None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` steps are over."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, description=f"{self._title} {note}")
            return
        now = time.monotonic() - self._started
        if now - self._last_line >= LINE_EVERY_SECONDS or done == total:
            sys.stderr.write(f"{self._title} {done}/{total} after {now:.0f} s {note}\n")
            sys.stderr.flush()
            self._last_line = now

    def __enter__(self) -> "Progress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
