"""Accounts: made, named, listed, suspended, closed; and what every refusal looks like."""

import datetime
import re

from facts import Facts
from simulator import LocalHttpClient, refused

fact = Facts()

API = "https://api.twilio.com/2010-04-01"


@fact
def a_new_subaccount_is_active_and_belongs_to_the_main_account(sim):
    made = sim.main.api.v2010.accounts.create(friendly_name="Alpha")
    assert LocalHttpClient.last.status_code == 201
    assert re.fullmatch("AC[0-9a-f]{32}", made.sid) and re.fullmatch("[0-9a-f]{32}", made.auth_token)
    assert (made.friendly_name, made.status, made.type) == ("Alpha", "active", "Full")
    assert made.owner_account_sid == sim.sid and made.date_created == made.date_updated == sim.now()
    assert len(made.subresource_uris) == 20 and made.uri == f"/2010-04-01/Accounts/{made.sid}.json"
    again = sim.main.api.v2010.accounts(made.sid).fetch()
    assert (again.sid, again.auth_token, again.status) == (made.sid, made.auth_token, "active")


@fact
def an_unnamed_subaccount_is_named_after_the_moment(sim):
    made = sim.main.api.v2010.accounts.create()
    assert re.fullmatch(r"SubAccount Created at \d{4}-\d\d-\d\d \d\d:\d\d [ap]m", made.friendly_name), (
        made.friendly_name
    )


@fact
def names_are_not_unique_and_their_filter_is_exact(sim):
    accounts = sim.main.api.v2010.accounts
    made = {sim.subaccount("Twin").sid for _ in range(2)}
    sim.subaccount("Twin peaks")
    assert {account.sid for account in accounts.list(friendly_name="Twin")} == made
    assert accounts.list(friendly_name="twin") == []


@fact
def a_name_has_at_most_64_characters(sim):
    accounts = sim.main.api.v2010.accounts
    assert accounts.create(friendly_name="é" * 64).friendly_name == "é" * 64
    refused(400, 20002, lambda: accounts.create(friendly_name="n" * 65))


@fact
def a_subaccount_is_renamed(sim):
    tenant = sim.subaccount("Before")
    sim.advance(seconds=5)
    renamed = tenant.resource.update(friendly_name="After")
    assert LocalHttpClient.last.status_code == 200
    assert renamed.friendly_name == tenant.resource.fetch().friendly_name == "After"
    assert renamed.date_updated - renamed.date_created == datetime.timedelta(seconds=5)


@fact
def the_main_account_is_a_row_of_its_own_list(sim):
    rows = [account for account in sim.main.api.v2010.accounts.list() if account.sid == account.owner_account_sid]
    assert [row.sid for row in rows] == [sim.sid]


@fact
def lists_filter_by_status(sim):
    accounts, tenants = sim.main.api.v2010.accounts, [sim.subaccount("Filtered") for _ in range(3)]
    tenants[1].resource.update(status="suspended")
    tenants[2].resource.update(status="closed")
    for tenant, status in zip(tenants, ["active", "suspended", "closed"]):
        assert [row.sid for row in accounts.list(friendly_name="Filtered", status=status)] == [tenant.sid]


@fact
def the_newest_account_comes_first(sim):
    made = [sim.subaccount("Order").sid for _ in range(3)]
    assert [row.sid for row in sim.main.api.v2010.accounts.list(friendly_name="Order")] == made[::-1]


@fact
def an_unknown_account_is_not_found(sim):
    unknown = "AC" + "f" * 32
    told = refused(404, 20404, sim.main.api.v2010.accounts(unknown).fetch)
    assert told["message"] == f"The requested resource /2010-04-01/Accounts/{unknown}.json was not found"
    refused(404, 20404, lambda: sim.main.api.v2010.accounts(unknown).calls.list())
    refused(404, 20404, lambda: sim.main.api.v2010.accounts(unknown).update(status="closed"))


@fact
def suspension_can_be_taken_back(sim):
    tenant = sim.subaccount()
    for status in ["suspended", "active", "suspended", "suspended", "active"]:
        assert tenant.resource.update(status=status).status == status
        assert tenant.resource.fetch().status == status


@fact
def closing_is_final(sim):
    tenant = sim.subaccount()
    assert tenant.resource.update(status="closed").status == "closed"
    for status in ["active", "suspended"]:
        refused(400, 21479, lambda: tenant.resource.update(status=status))
    assert tenant.resource.fetch().status == "closed"


@fact
def a_closed_account_is_deleted_after_30_days(sim):
    tenant = sim.subaccount("Gone in a month")
    tenant.resource.update(status="closed")
    sim.advance(days=29, hours=23)
    assert tenant.resource.fetch().status == "closed"
    sim.advance(hours=2)
    refused(404, 20404, tenant.resource.fetch)
    assert sim.main.api.v2010.accounts.list(friendly_name="Gone in a month") == []


@fact
def a_status_must_be_one_of_three(sim):
    tenant = sim.subaccount()
    for status in ["sleeping", "ACTIVE ", "deleted"]:
        refused(400, 21475, lambda: tenant.resource.update(status=status))


@fact
def the_main_account_has_no_status_to_change(sim):
    for status in ["suspended", "closed"]:
        refused(400, 21477, lambda: sim.main.api.v2010.accounts(sim.sid).update(status=status))


@fact
def what_twilio_suspended_only_twilio_reactivates(sim):
    tenant = sim.subaccount()
    sim.post(f"accounts/{tenant.sid}", {"status": "suspended", "by_twilio": True})
    refused(400, 21478, lambda: tenant.resource.update(status="active"))
    sim.post(f"accounts/{tenant.sid}", {"status": "active", "by_twilio": False})
    assert tenant.resource.update(status="active").status == "active"


@fact
def a_suspended_main_account_suspends_its_subaccounts(sim):
    tenant = sim.subaccount()
    sim.post(f"accounts/{sim.sid}", {"status": "suspended"})
    try:
        refused(400, 21476, lambda: tenant.resource.update(status="active"))
        refused(400, 21476, lambda: tenant.resource.update(status="suspended"))
        refused(401, 20003, lambda: tenant.own.api.v2010.accounts(tenant.sid).fetch())
    finally:
        sim.post(f"accounts/{sim.sid}", {"status": "active"})
    assert tenant.own.api.v2010.accounts(tenant.sid).fetch().status == "active"


@fact
def a_subaccount_makes_no_subaccounts_and_does_not_change_its_own_status(sim):
    tenant = sim.subaccount()
    refused(400, 21101, lambda: tenant.own.api.v2010.accounts.create(friendly_name="Grandchild"))
    refused(401, 20003, lambda: tenant.own.api.v2010.accounts(tenant.sid).update(status="suspended"))
    assert tenant.resource.fetch().status == "active"
    assert [row.sid for row in tenant.own.api.v2010.accounts.list()] == [tenant.sid]


@fact
def only_the_main_account_has_a_balance(sim):
    balance = sim.main.api.v2010.accounts(sim.sid).balance.fetch()
    assert (balance.account_sid, balance.currency) == (sim.sid, "USD") and float(balance.balance) > 0
    tenant = sim.subaccount()
    refused(404, 20404, tenant.resource.balance.fetch)


@fact
def a_suspended_account_s_own_credentials_fail_and_the_main_ones_work(sim):
    tenant = sim.subaccount()
    tenant.resource.update(status="suspended")
    refused(401, 20003, lambda: tenant.own.messages.list())
    assert tenant.acting.messages.list() == [] and tenant.resource.fetch().status == "suspended"
    tenant.resource.update(status="active")
    assert tenant.own.messages.list() == []


@fact
def a_new_account_may_be_in_lists_only_later(sim):
    sim.quirks(account_list_lag_ms=5000)
    tenant = sim.subaccount("Late")
    assert sim.main.api.v2010.accounts.list(friendly_name="Late") == []
    assert tenant.resource.fetch().friendly_name == "Late"
    sim.advance(seconds=6)
    assert len(sim.main.api.v2010.accounts.list(friendly_name="Late")) == 1


@fact
def the_name_filter_may_be_ignored(sim):
    sim.subaccount("Somebody")
    sim.quirks(friendly_name_filter_ignored=True)
    assert len(sim.main.api.v2010.accounts.list(friendly_name="Nobody at all")) > 1


@fact
def answers_bear_twilio_s_headers(sim):
    result = sim.main.api.v2010.accounts(sim.sid).fetch_with_http_info()
    headers = {name.lower(): value for name, value in result.headers.items()}
    assert result.status_code == 200 and re.fullmatch("RQ[0-9a-f]{32}", headers["twilio-request-id"])
    assert headers["twilio-concurrent-requests"] == "1" and float(headers["twilio-request-duration"]) >= 0
    assert (headers["x-home-region"], headers["x-powered-by"]) == ("us1", "AT-5000")
    assert headers["x-shenanigans"] == "none" and headers["x-api-domain"] == "api.twilio.com"


@fact
def without_its_suffix_the_api_answers_in_xml(sim):
    response = sim.raw(f"{API}/Accounts/{sim.sid}")
    assert response.text.startswith("<?xml") and "<RestException>" in response.text, response.text


@fact
def a_method_that_a_resource_does_not_have_is_refused(sim):
    response = sim.raw(f"{API}/Accounts/{sim.sid}/Balance.json", "POST", {})
    assert response.status_code == 405 and '"code":20004' in response.text.replace(" ", ""), response.text


@fact
def scripted_failures_reach_the_library_as_twilio_s_would(sim):
    tenant = sim.subaccount()
    for status, code in [(429, 20429), (500, 20500), (503, 20503), (403, 20403)]:
        sim.post("faults", {"path": f"*/Accounts/{tenant.sid}.json", "action": {"type": "status", "status": status}})
        refused(status, code, tenant.resource.fetch)
    assert tenant.resource.fetch().sid == tenant.sid
