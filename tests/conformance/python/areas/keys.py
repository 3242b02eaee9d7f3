"""Credentials: what each kind may do, and how keys and auth tokens are replaced without a gap."""

import concurrent.futures
import re

from facts import Facts
from simulator import LocalHttpClient, refused

fact = Facts()

READ_MESSAGES = "/twilio/messaging/messages/read"
LIST_MESSAGES = "/twilio/messaging/messages/list"
LIST_CALLS = "/twilio/voice/calls/list"


def restricted(sim, tenant, *allow):
    """A client with a new restricted key of the tenant's, and the key."""
    keys = tenant.own.iam.v1.new_api_key
    key = keys.create(
        account_sid=tenant.sid, friendly_name="Narrow", key_type="restricted", policy={"allow": list(allow)}
    )
    return sim.client(key.sid, key.secret, tenant.sid), key


def standard(sim, tenant):
    key = tenant.resource.new_keys.create(friendly_name="Standard")
    return sim.client(key.sid, key.secret, tenant.sid), key


@fact
def nobody_gets_in_with_wrong_credentials(sim):
    tenant = sim.subaccount()
    for user, password in [
        (sim.sid, tenant.token),
        (tenant.sid, sim.token),
        (tenant.sid, "0" * 32),
        ("AC" + "0" * 32, sim.token),
        ("SK" + "0" * 32, "secret"),
        ("somebody", "else"),
    ]:
        refused(401, 20003, lambda: sim.client(user, password, tenant.sid).messages.list())
        refused(401, 20003, lambda: sim.client(user, password).api.v2010.accounts(tenant.sid).fetch())


@fact
def without_credentials_nothing_is_answered(sim):
    response = sim.http.request("GET", f"https://api.twilio.com/2010-04-01/Accounts/{sim.sid}.json")
    assert response.status_code == 401 and "No credentials provided" in response.text, response.text


@fact
def the_main_token_reaches_every_subaccount(sim):
    one, other = sim.subaccount(), sim.subaccount()
    assert one.acting.messages.list() == other.acting.calls.list() == []
    assert one.resource.fetch().sid == one.sid


@fact
def a_subaccount_s_token_reaches_its_own_account_alone(sim):
    one, other = sim.subaccount(), sim.subaccount()
    assert one.own.messages.list() == [] and one.own.api.v2010.accounts(one.sid).fetch().sid == one.sid
    for foreign in [other.sid, sim.sid]:
        refused(401, 20003, lambda: sim.client(one.sid, one.token, foreign).messages.list())
        refused(401, 20003, lambda: one.own.api.v2010.accounts(foreign).fetch())
        refused(401, 20003, lambda: one.own.api.v2010.accounts(foreign).new_keys.create())


@fact
def a_key_shows_its_secret_once(sim):
    tenant = sim.subaccount()
    made = tenant.resource.new_keys.create(friendly_name="First")
    assert LocalHttpClient.last.status_code == 201
    assert re.fullmatch("SK[0-9a-f]{32}", made.sid) and len(made.secret) == 32
    assert made.date_created == made.date_updated == sim.now()
    for shown in [tenant.resource.keys(made.sid).fetch(), *tenant.resource.keys.list()]:
        assert (shown.sid, shown.friendly_name) == (made.sid, "First")
        assert "secret" not in LocalHttpClient.last.text and made.secret not in LocalHttpClient.last.text


@fact
def a_key_is_renamed_and_deleted(sim):
    tenant = sim.subaccount()
    client, key = standard(sim, tenant)
    assert tenant.resource.keys(key.sid).update(friendly_name="Renamed").friendly_name == "Renamed"
    assert client.messages.list() == []
    assert tenant.resource.keys(key.sid).delete() is True
    refused(401, 20003, lambda: client.messages.list())
    refused(404, 20404, tenant.resource.keys(key.sid).fetch)
    refused(404, 20404, tenant.resource.keys(key.sid).delete)
    assert tenant.resource.keys.list() == []


@fact
def signing_keys_are_keys(sim):
    tenant = sim.subaccount()
    made = tenant.resource.new_signing_keys.create(friendly_name="Signs")
    assert made.secret and tenant.resource.signing_keys(made.sid).fetch().friendly_name == "Signs"
    assert [key.sid for key in tenant.resource.signing_keys.list()] == [made.sid]
    assert tenant.resource.signing_keys(made.sid).update(friendly_name="Signed").friendly_name == "Signed"
    assert tenant.resource.signing_keys(made.sid).delete() is True
    assert tenant.resource.signing_keys.list() == []


@fact
def a_standard_key_manages_neither_accounts_nor_keys(sim):
    tenant = sim.subaccount()
    client, key = standard(sim, tenant)
    assert client.messages.list() == client.calls.list() == client.messaging.v1.services.list() == []
    account = client.api.v2010.accounts(tenant.sid)
    for managing in [account.fetch, account.keys.list, account.new_keys.create, account.keys(key.sid).delete]:
        refused(401, 20003, managing)
    refused(401, 20003, lambda: client.api.v2010.accounts.list())


@fact
def a_standard_key_of_the_main_account_does_not_reach_subaccounts(sim):
    tenant = sim.subaccount()
    key = sim.main.api.v2010.accounts(sim.sid).new_keys.create()
    assert isinstance(sim.client(key.sid, key.secret, sim.sid).messages.list(limit=1), list)
    refused(401, 20003, lambda: sim.client(key.sid, key.secret, tenant.sid).messages.list())
    sim.main.api.v2010.accounts(sim.sid).keys(key.sid).delete()


@fact
def a_main_key_manages_accounts_and_keys(sim):
    key = sim.post("keys", {"account_sid": sim.sid, "kind": "main", "friendly_name": "Console"})
    client = sim.client(key["sid"], key["secret"])
    made = client.api.v2010.accounts.create(friendly_name="By a Main key")
    assert made.sid in [account.sid for account in client.api.v2010.accounts.list(friendly_name="By a Main key")]
    own = client.api.v2010.accounts(sim.sid)
    assert own.keys(own.new_keys.create().sid).delete() is True
    # It is the Console's to show and to delete, too.
    refused(404, 20404, sim.main.api.v2010.accounts(sim.sid).keys(key["sid"]).delete)
    assert key["sid"] not in [shown.sid for shown in own.keys.list()]


@fact
def a_restricted_key_does_what_its_policy_lists(sim):
    tenant = sim.subaccount()
    client, key = restricted(sim, tenant, LIST_MESSAGES)
    assert LocalHttpClient.last.status_code == 201
    assert key.policy == {"allow": [LIST_MESSAGES]} and len(key.secret) == 32
    assert client.messages.list() == []
    for unlisted in [
        client.calls.list,
        lambda: client.messages("SM" + "0" * 32).fetch(),
        lambda: client.messages.create(to="+15005550006", from_="+15005550006", body="Hi"),
        client.usage.records.list,
    ]:
        refused(401, 70051, unlisted)


@fact
def a_policy_is_replaced_at_once(sim):
    tenant = sim.subaccount()
    client, key = restricted(sim, tenant, LIST_MESSAGES)
    own = tenant.own.iam.v1.api_key(key.sid)
    changed = own.update(friendly_name="Other", policy={"allow": [LIST_CALLS, READ_MESSAGES]})
    assert (changed.friendly_name, changed.policy) == ("Other", {"allow": [LIST_CALLS, READ_MESSAGES]})
    assert own.fetch().policy == changed.policy
    assert client.calls.list() == []
    refused(401, 70051, client.messages.list)
    assert own.delete() is True
    refused(401, 20003, client.calls.list)
    refused(404, 20404, own.fetch)


@fact
def the_iam_api_makes_standard_keys_too(sim):
    tenant = sim.subaccount()
    made = tenant.own.iam.v1.new_api_key.create(account_sid=tenant.sid, friendly_name="Plain")
    assert made.policy is None and sim.client(made.sid, made.secret, tenant.sid).messages.list() == []
    listed = tenant.own.iam.v1.get_api_keys.list(account_sid=tenant.sid)
    assert [key.sid for key in listed] == [made.sid] == [key.sid for key in tenant.resource.keys.list()]
    assert tenant.own.iam.v1.api_key(made.sid).fetch().policy is None
    assert listed[0].date_created == made.date_created == sim.now()


@fact
def the_iam_api_shows_main_credentials_the_main_account(sim):
    tenant = sim.subaccount()
    _, key = standard(sim, tenant)
    shown = [one.sid for one in sim.main.iam.v1.get_api_keys.list(account_sid=tenant.sid)]
    assert key.sid not in shown
    refused(404, 20404, sim.main.iam.v1.api_key(key.sid).fetch)


@fact
def keys_are_rotated_without_a_gap(sim):
    tenant = sim.subaccount()
    old, old_key = standard(sim, tenant)
    new, _ = standard(sim, tenant)
    assert old.messages.list() == new.messages.list() == []
    tenant.resource.keys(old_key.sid).delete()
    refused(401, 20003, old.messages.list)
    assert new.messages.list() == []
    narrow, narrow_key = restricted(sim, tenant, LIST_MESSAGES)
    narrower, _ = restricted(sim, tenant, LIST_MESSAGES)
    tenant.own.iam.v1.api_key(narrow_key.sid).delete()
    refused(401, 20003, narrow.messages.list)
    assert narrower.messages.list() == []


@fact
def an_auth_token_is_rotated_without_a_gap(sim):
    tenant = sim.subaccount()
    made = tenant.own.accounts.v1.secondary_auth_token().create(suppress_email_notification=True)
    assert LocalHttpClient.last.status_code == 201
    secondary = made.secondary_auth_token
    assert made.account_sid == tenant.sid and re.fullmatch("[0-9a-f]{32}", secondary) and secondary != tenant.token
    by_secondary = sim.client(tenant.sid, secondary)
    assert by_secondary.messages.list() == tenant.own.messages.list() == []
    assert tenant.resource.fetch().auth_token == tenant.token
    promoted = by_secondary.accounts.v1.auth_token_promotion().update(suppress_email_notification=True)
    assert LocalHttpClient.last.status_code == 200
    assert (promoted.account_sid, promoted.auth_token) == (tenant.sid, secondary)
    refused(401, 20003, tenant.own.messages.list)
    assert by_secondary.messages.list() == [] and tenant.resource.fetch().auth_token == secondary


@fact
def a_secondary_token_can_be_given_up(sim):
    tenant = sim.subaccount()
    tokens = tenant.own.accounts.v1.secondary_auth_token()
    client = sim.client(tenant.sid, tokens.create().secondary_auth_token)
    assert client.messages.list() == []
    assert tokens.delete(suppress_email_notification=True) is True
    refused(401, 20003, client.messages.list)
    assert tenant.own.messages.list() == []
    refused(404, 20404, tokens.delete)
    refused(404, 20404, tenant.own.accounts.v1.auth_token_promotion().update)


@fact
def main_credentials_rotate_the_main_account_s_token_only(sim):
    tenant = sim.subaccount()
    made = sim.client(sim.sid, sim.token, tenant.sid).accounts.v1.secondary_auth_token().create()
    assert made.account_sid == sim.sid
    assert sim.main.accounts.v1.secondary_auth_token().delete() is True
    assert tenant.own.messages.list() == []


@fact
def on_other_products_main_credentials_show_the_main_account_s_rows(sim):
    tenant = sim.subaccount()
    service = tenant.own.messaging.v1.services.create(friendly_name="The tenant's")
    as_if_for_tenant = sim.client(sim.sid, sim.token, tenant.sid)
    assert all(row.account_sid == sim.sid for row in as_if_for_tenant.messaging.v1.services.list())
    refused(404, 20404, as_if_for_tenant.messaging.v1.services(service.sid).fetch)
    wrong_place = as_if_for_tenant.messaging.v1.services.create(friendly_name="Lands in the main account")
    assert wrong_place.account_sid == sim.sid
    assert [row.sid for row in tenant.own.messaging.v1.services.list()] == [service.sid]
    sim.main.messaging.v1.services(wrong_place.sid).delete()


@fact
def the_request_log_tells_which_credential_asked(sim):
    tenant = sim.subaccount()
    client, key = standard(sim, tenant)
    for asking in [tenant.acting, tenant.own, client]:
        asking.messages.list()
    asked = [(request["credential"], request["credential_sid"]) for request in sim.get("requests")[-3:]]
    assert asked == [("main", sim.sid), ("subaccount", tenant.sid), ("key", key.sid)], asked


@fact
def too_many_requests_at_a_time_are_refused(sim):
    # On a running clock an answer can be held back; the others come while it is.
    tenant = sim.subaccount()
    sim.post("faults", {"path": "*/Messages.json*", "count": 0, "action": {"type": "delay", "ms": 2000}})
    sim.post("clock", {"running": True})
    try:
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            asking = [pool.submit(sim.separate_client(tenant).messages.page) for _ in range(12)]
            failures = [ask.exception() for ask in asking]
    finally:
        sim.post("clock", {"running": False})
    refusals = [str(failure) for failure in failures if failure]
    assert len(refusals) == 4 and all("20429" in refusal for refusal in refusals), refusals
