"""The one error a user can mend: what is wrong, where, what was found, what was expected, what to do next."""


class InputError(ValueError):
    """Bad input. Its text names the place, what was found and expected, and the next step; the CLI prints it alone."""

    def __init__(self, where: object, found: str, expected: str, next_step: str) -> None:
        self.where, self.found, self.expected, self.next_step = str(where), found, expected, next_step
        super().__init__(f"{where}\n  found:    {found}\n  expected: {expected}\n  next:     {next_step}")
