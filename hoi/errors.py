"""Errors a user can mend: what is wrong, where, what was found, what was expected, what to do next."""


class InputError(ValueError):
    """Bad input. Its text names the place, what was found and expected, and the next step; the CLI prints it alone."""

    def __init__(self, where: object, found: str, expected: str, next_step: str) -> None:
        self.where, self.found, self.expected, self.next_step = str(where), found, expected, next_step
        super().__init__(f"{where}\n  found:    {found}\n  expected: {expected}\n  next:     {next_step}")


class SetupError(InputError):
    """What many clips need is not there: a data set, a licensed file. It is no clip's failure: the stage stops, nothing is
    recorded, and the same command goes on once it is mended.
    """


class DataFailure(InputError):
    """What a clip shows does not allow a stage: no hand, empty masks, an empty surface.

    The CLI writes it into the stage's outputs (`hoi.artefacts.write_failure`) and ends well: stages that read them raise
    it again and pass it on, scoring charges the clip the stated penalty. `stage` and `log` say where it happened first.
    """

    def __init__(
        self, where: object, found: str, expected: str, next_step: str, stage: str | None = None, log: str | None = None
    ) -> None:
        super().__init__(where, found, expected, next_step)
        self.stage, self.log = stage, log

    def record(self) -> dict[str, str | None]:
        """All of it, JSON-ready."""
        words = ("stage", "log", "where", "found", "expected", "next_step")
        return {word: getattr(self, word) for word in words}
