"""What the API's pages leave open: each answer of the sandbox, and their list on the command line."""

import pytest

from contact_sync.errors import ConfigError
from contact_sync.model.fields import FIELDS
from contact_sync.sandbox.assumptions import Assumptions, parse_assumptions
from contact_sync.sandbox.server import Sandbox

from .clients import Get, Post, Serve, error_of


def test_parse_assumptions() -> None:
    """A list of assumptions is parsed; those left out have their defaults."""
    assert parse_assumptions("") == Assumptions()
    spec = " page-size=500,past-end=404, order=changing,not-clearing=date+custom4,"
    assert parse_assumptions(spec) == Assumptions(page_size="500", past_end="404", order="changing", not_clearing="date+custom4")


@pytest.mark.parametrize(
    "part", ["page-size=21", "page_size=500", "total", "total=", "not-clearing=email", "not-clearing=", "x=y"]
)
def test_unknown_assumptions_are_refused(part: str) -> None:
    """A part that is unknown or repeated is named in a sentence with the choices."""
    for spec, named in ((f"dates=iso,{part}", part), ("dates=iso,dates=iso", "dates=iso")):
        with pytest.raises(ConfigError, match="past-end=empty") as refused:
            parse_assumptions(spec)
        assert f"“{named}”" in str(refused.value)


def ids(get: Get, served: Sandbox, page: int, group: str = "6361") -> list[str]:
    """Return the contactIds of a page of contact/list."""
    return [contact["contactId"] for contact in get(served, "contact/list", groupId=group, page=str(page)).json()["datas"]]


def test_size_and_total_of_a_page(sandbox: Serve, get: Get) -> None:
    """A page has 20 or 500 contacts, and its total counts the group or the page."""
    by_group = sandbox(assumptions=Assumptions(page_size="500"))
    assert (len(ids(get, by_group, 1)), len(ids(get, by_group, 2))) == (500, 300)
    assert get(by_group, "contact/list", groupId="6361", page="2").json()["total"] == "800"
    by_page = sandbox(assumptions=Assumptions(page_size="500", total="page"))
    assert [get(by_page, "contact/list", groupId="6361", page=page).json()["total"] for page in "123"] == ["500", "300", "0"]


def test_page_after_the_last(sandbox: Serve, get: Get) -> None:
    """A page after the last one is empty, the last one again, or code 404."""
    assert ids(get, sandbox(contacts=150), 3) == []
    again = sandbox(contacts=150, assumptions=Assumptions(past_end="same"))
    assert ids(get, again, 3) == ids(get, again, 2) != []
    assert len(ids(get, again, 2)) == 10
    missing = sandbox(contacts=150, assumptions=Assumptions(past_end="404"))
    assert error_of(get(missing, "contact/list", groupId="6361", page="3")) == (404, 404)
    assert len(ids(get, missing, 2)) == 10


def test_changing_order(sandbox: Serve, get: Get) -> None:
    """In a list whose order changes, reading page after page misses a contact and shows another one twice."""
    served = sandbox(contacts=150, assumptions=Assumptions(order="changing"))
    seen = [*ids(get, served, 1), *ids(get, served, 2)]
    assert (len(seen), len(set(seen))) == (30, 29)
    again = [*ids(get, served, 1), *ids(get, served, 2)]
    assert len(set(seen) | set(again)) == 30


def test_contacts_in_two_groups(sandbox: Serve, get: Get) -> None:
    """Every tenth contact may be in a second group."""
    served = sandbox(contacts=100, assumptions=Assumptions(groups="two", page_size="500"))
    first, second = ids(get, served, 1), ids(get, served, 1, "6362")
    assert sorted(set(first) & set(second)) == [f"C{number:06}" for number in range(1, 100, 10)]


def test_omitted_fields(sandbox: Serve, post: Post) -> None:
    """An update may empty the fields that it leaves out."""
    served = sandbox(assumptions=Assumptions(omitted="emptied"))
    post(served, lastname="Été")
    stored = served.store["C000001"]
    assert {stored["phone" if field == "phoneNumber" else field] for field in FIELDS} == {"", "Été"}


@pytest.mark.parametrize("empty", ["", None])
def test_fields_that_cannot_be_cleared(sandbox: Serve, post: Post, empty: str | None) -> None:
    """An empty value may leave certain fields as they are, and clear others."""
    served = sandbox(assumptions=Assumptions(not_clearing="lastname+phoneNumber"))
    before = served.store["C000001"]
    post(served, lastname=empty, firstname=empty, phoneNumber=empty)
    assert served.store["C000001"] == before | {"firstname": ""}


def test_own_number(sandbox: Serve, post: Post) -> None:
    """A contact that is sent its own number again may get code 15; leaving the number out is no conflict."""
    served = sandbox(assumptions=Assumptions(own_number="refused"))
    assert error_of(post(served, phoneNumber=served.store["C000001"]["phone"], lastname="A")) == (400, 15)
    assert post(served, lastname="A").json()["success"] is True


def test_required_number(sandbox: Serve, post: Post) -> None:
    """An update without a number may be refused."""
    served = sandbox(assumptions=Assumptions(phone_number="required"))
    assert error_of(post(served, lastname="A")) == (400, 2)
    assert post(served, phoneNumber=served.store["C000001"]["phone"], lastname="A").json()["success"] is True


def test_dates_of_reads(sandbox: Serve, get: Get) -> None:
    """Reads may show dates as DD-MM-YYYY."""
    served = sandbox(assumptions=Assumptions(dates="day-first"))
    assert get(served, "contact/detail", contactId="C000002").json()["contact"]["date"] == "07-01-1940"
    assert get(served, "contact/list", groupId="6361").json()["datas"][0]["date"] == "01-01-1940"
    assert served.store["C000002"]["date"] == "1940-01-07"


def test_group_list_without_success(sandbox: Serve, get: Get) -> None:
    """group/list may say that it failed and have groups all the same, as its page shows."""
    document = get(sandbox(assumptions=Assumptions(group_list="failure")), "group/list").json()
    assert (document["success"], len(document["groups"])) == (False, 5)
