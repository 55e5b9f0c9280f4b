"""Assumptions of the sandbox about what the API's pages leave open, and their list on the command line."""

from dataclasses import dataclass, fields
from typing import Literal, get_args, get_type_hints

from contact_sync.errors import ConfigError
from contact_sync.model.fields import FIELDS


@dataclass(frozen=True, slots=True)
class Assumptions:
    """One answer to each open question about the API; the first of each is the default."""

    page_size: Literal["20", "500"] = "20"  # contacts a page of contact/list
    total: Literal["group", "page"] = "group"  # what `total` of contact/list counts
    past_end: Literal["empty", "same", "404"] = "empty"  # the answer to a page after the last: none, the last one again, code 404
    order: Literal["stable", "changing"] = (
        "stable"  # changing: whenever a second page is read, the first contact moves to the end
    )
    groups: Literal["one", "two"] = "one"  # of a contact; two: of every tenth one
    omitted: Literal["kept", "emptied"] = "kept"  # fields that an update leaves out
    own_number: Literal["accepted", "refused"] = "accepted"  # refused: a contact that is sent its own number gets code 15
    phone_number: Literal["optional", "required"] = "optional"  # required: an update without it gets code 2
    dates: Literal["iso", "day-first"] = "iso"  # as they are read: 2020-06-12 or 12-06-2020
    group_list: Literal["success", "failure"] = "success"  # failure: group/list says `success: false`, as its page shows
    not_clearing: str = ""  # fields, joined by `+`, that `""` leaves as they are

    @property
    def unclearable(self) -> set[str]:
        """The fields that `""` leaves as they are."""
        return set(self.not_clearing.split("+")) - {""}


_CHOICES = {name: get_args(kind) for name, kind in get_type_hints(Assumptions).items()}


def parse_assumptions(spec: str) -> Assumptions:
    """Parse a list such as `page-size=500,total=page,not-clearing=date+url`; empty means the defaults.

    Raises ConfigError for a part that is unknown or repeated.
    """
    values: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in spec.split(","))):
        option, _equals, value = part.partition("=")
        name = option.replace("-", "_")
        is_valid = value in _CHOICES.get(name, ()) or (name == "not_clearing" and {*value.split("+")} <= {*FIELDS})
        if not is_valid or name in values or "_" in option:
            raise ConfigError("--assume: “{part}” is unknown or repeated: write {choices}.", part=part, choices=_described())
        values[name] = value
    return Assumptions(**values)  # type: ignore[arg-type] # checked against the choices


def _described() -> str:
    choices = {each.name: "|".join(_CHOICES[each.name]) or "FIELD+FIELD" for each in fields(Assumptions)}
    return ", ".join(f"{name.replace('_', '-')}={values}" for name, values in choices.items())
