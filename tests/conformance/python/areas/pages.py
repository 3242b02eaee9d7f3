"""Paging through 2,500 subaccounts, and the limit on how many there may be."""

import itertools

from facts import Facts
from simulator import refused

fact = Facts()

API = "https://api.twilio.com/2010-04-01"
LIMIT = 2500


def requests_since(sim, begin):
    return [request["path"] for request in sim.get("requests")[begin:]]


def counted(sim, work):
    """The work's result and how many requests it took."""
    sim.control("DELETE", "requests")
    result = work()
    return result, len(sim.get("requests"))


@fact
def one_more_than_the_limit_of_open_subaccounts_is_refused(sim):
    accounts = sim.main.api.v2010.accounts
    open_ones = sum(account.status != "closed" for account in accounts.stream(page_size=1000)) - 1
    for number in range(open_ones, LIMIT):
        accounts.create(friendly_name=f"Crowd {number}")
    told = refused(400, 21480, lambda: accounts.create(friendly_name="One too many"))
    assert told["message"] == "Reached maximum number of subaccounts"


@fact
def a_closed_subaccount_makes_room_for_another(sim):
    accounts = sim.main.api.v2010.accounts
    accounts(accounts.list(status="active", limit=1)[0].sid).update(status="closed")
    accounts.create(friendly_name="In its place")
    refused(400, 21480, lambda: accounts.create(friendly_name="One too many"))


@fact
def all_are_listed_once_however_large_the_pages(sim):
    accounts = sim.main.api.v2010.accounts
    whole, requests = counted(sim, lambda: [account.sid for account in accounts.list(page_size=1000)])
    assert len(whole) == len(set(whole)) and len(whole) > LIMIT
    assert requests == -(-len(whole) // 1000)
    by_default, requests = counted(sim, lambda: [account.sid for account in accounts.list()])
    assert by_default == whole and requests == -(-len(whole) // 50)
    streamed = [account.sid for account in accounts.stream(page_size=333)]
    assert streamed == whole


@fact
def a_limit_ends_the_paging(sim):
    accounts = sim.main.api.v2010.accounts
    listed, requests = counted(sim, lambda: accounts.list(limit=120, page_size=50))
    assert (len(listed), requests) == (120, 3)
    listed, requests = counted(sim, lambda: accounts.list(limit=1500))
    assert (len(listed), requests) == (1500, 2)  # the library asks for as many as Twilio allows
    streamed, requests = counted(sim, lambda: list(itertools.islice(accounts.stream(page_size=100), 150)))
    assert (len(streamed), requests) == (150, 2)


@fact
def pages_lead_to_the_next_and_the_previous(sim):
    accounts = sim.main.api.v2010.accounts
    first = accounts.page(page_size=200)
    assert first.previous_page_url is None and "PageToken=" in first.next_page_url
    ahead = [account.sid for account in first]
    second = first.next_page()
    assert "Page=1" in second.next_page_url.replace("Page=2", "Page=1")
    between = [account.sid for account in second]
    assert len(ahead) == len(between) == 200 and not set(ahead) & set(between)
    assert [account.sid for account in second.previous_page()] == ahead
    assert [account.sid for account in accounts.get_page(first.next_page_url)] == between


@fact
def the_last_page_leads_nowhere(sim):
    page = sim.main.api.v2010.accounts.page(page_size=1000)
    while page.next_page_url:
        page = page.next_page()
    assert page.next_page() is None and page.previous_page_url


@fact
def a_page_number_without_its_token_is_refused(sim):
    accounts = sim.main.api.v2010.accounts
    refused(400, 70002, lambda: accounts.page(page_number=1, page_size=50))
    refused(400, 70002, lambda: accounts.page(page_number=40, page_size=50))
    refused(400, 21481, lambda: accounts.page(page_number=1, page_token="PAnothing", page_size=50))
    assert len(list(accounts.page(page_number=0, page_size=50))) == 50


@fact
def a_page_has_between_1_and_1000_rows(sim):
    accounts = sim.main.api.v2010.accounts
    assert len(list(accounts.page(page_size=1))) == 1 and len(list(accounts.page(page_size=1000))) == 1000
    assert len(list(accounts.page(page_size=1001))) == 1000  # what is too much is cut, not refused
    refused(400, 20001, lambda: accounts.page(page_size=0))


@fact
def filters_stay_with_the_pages(sim):
    accounts = sim.main.api.v2010.accounts
    for number in range(2):
        accounts(accounts.list(status="active", limit=1)[0].sid).update(status="closed")
    first = accounts.page(status="closed", page_size=1)
    assert "Status=closed" in first.next_page_url
    assert all(account.status == "closed" for account in accounts.list(status="closed", page_size=2))


@fact
def an_account_that_is_made_meanwhile_shifts_nothing(sim):
    accounts = sim.main.api.v2010.accounts
    whole = [account.sid for account in accounts.list(page_size=1000)]
    first = accounts.page(page_size=1000)
    seen = [account.sid for account in first]
    accounts(whole[-2]).update(status="closed")
    accounts.create(friendly_name="Meanwhile")
    page = first.next_page()
    while page:
        seen += [account.sid for account in page]
        page = page.next_page()
    assert seen == whole
