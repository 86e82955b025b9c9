"""What all sections share: bounds of numbers, a section that refuses unknown keys, and the hand."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]

RATE = 15.0  # frames a second at which settings of motion hold; frames farther apart may move more (hoi.hand.fitting, hoi.fit)


class Section(BaseModel):
    """A group of settings; a key that is not listed is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class HandChoice(Section):
    """The hand model, and the folder of MANO's licensed files: for it, and for data sets whose hands are MANO's."""

    model: Literal["open", "mano", "manopth"]
    files: str | None
