"""Phone numbers: searched, bought, set up, transferred and given back; the addresses that they need."""

import re

from facts import Facts
from simulator import LocalHttpClient, refused

fact = Facts()

PLACES = {
    "US": {"city": "San Francisco", "region": "CA", "postal_code": "94103"},
    "DE": {"city": "Berlin", "region": "Berlin", "postal_code": "10115"},
    "FR": {"city": "Paris", "region": "Paris", "postal_code": "75001"},
    "AU": {"city": "Sydney", "region": "NSW", "postal_code": "2000"},
    "IN": {"city": "New Delhi", "region": "Delhi", "postal_code": "110001"},
}


def found(client, country, kind="local", **filters):
    """The first number that a search shows."""
    numbers = getattr(client.available_phone_numbers(country), kind).list(limit=20, **filters)
    assert numbers, f"no {kind} numbers in {country} with {filters}"
    return numbers[0]


def bought(client, country="US", kind="local", **fields):
    return client.incoming_phone_numbers.create(phone_number=found(client, country, kind).phone_number, **fields)


def needing(client, requirement):
    """A number on sale that asks its buyer for such an address."""
    for country in client.available_phone_numbers.list():
        for number in client.available_phone_numbers(country.country_code).local.list(limit=1):
            if number.address_requirements == requirement:
                return number
    raise AssertionError(f"no local number anywhere asks for {requirement}")


def address(client, country):
    place = {"customer_name": "Ada", "street": "1 Main St", **PLACES[country]}
    return client.addresses.create(iso_country=country, friendly_name=f"In {country}", **place)


@fact
def countries_name_the_types_of_numbers_they_have(sim):
    countries = {one.country_code: one for one in sim.main.available_phone_numbers.list()}
    assert countries["US"].country == "United States" and {"local", "toll_free"} <= set(
        countries["US"].subresource_uris
    )
    assert sim.main.available_phone_numbers("GB").fetch().country_code == "GB"
    refused(404, 20404, sim.main.available_phone_numbers("XX").fetch)


@fact
def a_search_shows_what_can_be_bought(sim):
    shown = sim.main.available_phone_numbers("US").local.list(limit=10)
    assert len(shown) == 10 == len({number.phone_number for number in shown})
    for number in shown:
        assert re.fullmatch(r"\+1\d{10}", number.phone_number) and number.iso_country == "US"
        assert number.address_requirements == "none" and number.capabilities["voice"] is True
        assert number.region and number.rate_center and number.beta is False


@fact
def searches_are_filtered(sim):
    us = sim.main.available_phone_numbers("US")
    assert all(number.phone_number[2:5] == "415" for number in us.local.list(area_code=415))
    assert us.local.list(area_code=415)
    assert all("55" in number.phone_number for number in us.local.list(contains="55", limit=5))
    assert all(number.capabilities["sms"] for number in us.local.list(sms_enabled=True, voice_enabled=True, limit=5))
    assert all(number.region == "CA" for number in us.local.list(in_region="CA", limit=5))
    assert sim.main.available_phone_numbers("FR").local.list(exclude_all_address_required=True) == []
    assert sim.main.available_phone_numbers("FR").local.list(exclude_foreign_address_required=True) != []


@fact
def every_type_of_number_has_its_own_search(sim):
    for country, kind, prefix in [
        ("US", "toll_free", r"\+18\d\d"),
        ("GB", "mobile", r"\+447"),
        ("GB", "national", r"\+44"),
        ("GB", "shared_cost", r"\+44"),
        ("DE", "voip", r"\+49"),
        ("FR", "machine_to_machine", r"\+33"),
    ]:
        assert re.match(prefix, found(sim.main, country, kind).phone_number), (country, kind)


@fact
def a_search_is_one_page(sim):
    sim.main.available_phone_numbers("US").local.list()
    assert '"next_page_uri"' not in LocalHttpClient.last.text and '"uri"' in LocalHttpClient.last.text


@fact
def a_number_is_bought_and_no_longer_offered(sim):
    tenant = sim.subaccount()
    wanted = found(tenant.acting, "US").phone_number
    number = tenant.acting.incoming_phone_numbers.create(phone_number=wanted, friendly_name="Front desk")
    assert LocalHttpClient.last.status_code == 201
    assert re.fullmatch("PN[0-9a-f]{32}", number.sid) and number.phone_number == wanted
    assert (number.account_sid, number.friendly_name, number.status) == (tenant.sid, "Front desk", "in-use")
    assert number.date_created == sim.now() and number.origin == "twilio" and number.address_requirements == "none"
    assert wanted not in [one.phone_number for one in tenant.acting.available_phone_numbers("US").local.list()]
    other = sim.subaccount()
    refused(400, 21422, lambda: other.acting.incoming_phone_numbers.create(phone_number=wanted))


@fact
def a_number_is_bought_by_its_area_code(sim):
    tenant = sim.subaccount()
    assert tenant.own.incoming_phone_numbers.create(area_code="206").phone_number.startswith("+1206")
    refused(400, 21451, lambda: tenant.own.incoming_phone_numbers.create(area_code="20"))
    refused(400, 21451, lambda: tenant.own.incoming_phone_numbers.create(area_code="abc"))
    refused(400, 21452, lambda: tenant.own.incoming_phone_numbers.create(area_code="999"))


@fact
def what_is_no_number_is_not_bought(sim):
    tenant = sim.subaccount()
    for text in ["415", "+1415555", "hello", "+14150"]:
        refused(400, 21421, lambda: tenant.own.incoming_phone_numbers.create(phone_number=text))


@fact
def numbers_are_listed_by_type_name_and_text(sim):
    tenant = sim.subaccount()
    own = tenant.own.incoming_phone_numbers
    local = own.local.create(phone_number=found(tenant.own, "US").phone_number, friendly_name="Desk")
    free = own.toll_free.create(phone_number=found(tenant.own, "US", "toll_free").phone_number)
    assert [number.sid for number in own.list()] == [free.sid, local.sid]
    assert [number.sid for number in own.local.list()] == [local.sid]
    assert [number.sid for number in own.toll_free.list()] == [free.sid]
    assert own.mobile.list() == [] and len(own.list(beta=False)) == 2
    assert [number.sid for number in own.list(friendly_name="Desk")] == [local.sid]
    assert [number.sid for number in own.list(phone_number=free.phone_number)] == [free.sid]
    assert free.sid in [number.sid for number in own.list(phone_number=free.phone_number[1:6])]
    assert len(own.list(origin="twilio")) == 2 and own.list(origin="hosted") == []


@fact
def a_number_is_set_up(sim):
    tenant = sim.subaccount()
    number = bought(tenant.acting, voice_url="https://example.com/v", sms_method="GET")
    assert (number.voice_url, number.voice_method, number.sms_method) == ("https://example.com/v", "POST", "GET")
    application = tenant.acting.applications.create(friendly_name="App", sms_url="https://example.com/app")
    changed = tenant.acting.incoming_phone_numbers(number.sid).update(
        friendly_name="Renamed",
        sms_url="https://example.com/s",
        sms_fallback_url="https://example.com/f",
        status_callback="https://example.com/c",
        sms_application_sid=application.sid,
        voice_url="",
    )
    assert LocalHttpClient.last.status_code == 200
    again = tenant.acting.incoming_phone_numbers(number.sid).fetch()
    for shown in [changed, again]:
        assert (shown.friendly_name, shown.sms_url) == ("Renamed", "https://example.com/s")
        assert (shown.status_callback, shown.sms_application_sid) == ("https://example.com/c", application.sid)
        assert not shown.voice_url and shown.sms_fallback_url == "https://example.com/f"


@fact
def a_released_number_is_gone(sim):
    tenant = sim.subaccount()
    number = bought(tenant.own)
    assert tenant.own.incoming_phone_numbers(number.sid).delete() is True
    refused(404, 20404, tenant.own.incoming_phone_numbers(number.sid).fetch)
    refused(404, 20404, tenant.own.incoming_phone_numbers(number.sid).delete)
    assert tenant.own.incoming_phone_numbers.list() == []


@fact
def addresses_are_kept(sim):
    tenant = sim.subaccount()
    made = address(tenant.own, "US")
    assert LocalHttpClient.last.status_code == 201 and re.fullmatch("AD[0-9a-f]{32}", made.sid)
    assert (made.customer_name, made.iso_country, made.validated) == ("Ada", "US", made.validated)
    kept = tenant.own.addresses(made.sid)
    assert kept.update(street="2 Main St", customer_name="Ada L.").street == kept.fetch().street == "2 Main St"
    assert [one.sid for one in tenant.own.addresses.list(customer_name="Ada L.", iso_country="US")] == [made.sid]
    assert tenant.own.addresses.list(iso_country="DE") == [] == tenant.own.addresses.list(friendly_name="Other")
    assert kept.dependent_phone_numbers.list() == []
    assert kept.delete() is True
    refused(404, 20404, kept.fetch)


@fact
def some_numbers_need_an_address(sim):
    tenant = sim.subaccount()
    buy, wanted = tenant.own.incoming_phone_numbers.create, needing(tenant.own, "any")
    refused(400, 21631, lambda: buy(phone_number=wanted.phone_number))
    somewhere = address(tenant.own, "US")
    refused(400, 21631, lambda: buy(phone_number=wanted.phone_number))
    refused(400, 21613, lambda: buy(phone_number=wanted.phone_number, address_sid="AD" + "0" * 32))
    number = buy(phone_number=wanted.phone_number, address_sid=somewhere.sid)
    assert (number.address_requirements, number.address_sid) == ("any", somewhere.sid)
    dependents = tenant.own.addresses(somewhere.sid).dependent_phone_numbers.list()
    assert [one.phone_number for one in dependents] == [wanted.phone_number]
    refused(400, 21625, lambda: tenant.own.incoming_phone_numbers(number.sid).update(address_sid=""))


@fact
def an_address_on_file_may_be_enough(sim):
    sim.quirks(address_looked_up=True)
    tenant = sim.subaccount()
    buy, wanted = tenant.own.incoming_phone_numbers.create, needing(tenant.own, "any")
    refused(400, 21613, lambda: buy(phone_number=wanted.phone_number))
    somewhere = address(tenant.own, "US")
    assert buy(phone_number=wanted.phone_number).address_sid == somewhere.sid


@fact
def some_numbers_need_a_local_or_a_foreign_address(sim):
    tenant = sim.subaccount()
    buy = tenant.own.incoming_phone_numbers.create
    local, foreign = needing(tenant.own, "local"), needing(tenant.own, "foreign")
    abroad = address(tenant.own, "US")
    refused(400, 21615, lambda: buy(phone_number=local.phone_number, address_sid=abroad.sid))
    there, where = address(tenant.own, local.iso_country), {"iso_country": local.iso_country, "type": "local"}
    bundle = sim.post("bundles", {"account_sid": tenant.sid, **where})["sid"]
    assert buy(phone_number=local.phone_number, address_sid=there.sid, bundle_sid=bundle).address_sid == there.sid
    native = address(tenant.own, foreign.iso_country)
    refused(400, 21624, lambda: buy(phone_number=foreign.phone_number, address_sid=native.sid))
    assert buy(phone_number=foreign.phone_number, address_sid=abroad.sid).address_sid == abroad.sid


@fact
def a_mobile_number_is_bought_with_its_address(sim):
    tenant = sim.subaccount()
    wanted, there = found(tenant.own, "AU", "mobile"), address(tenant.own, "AU")
    number = tenant.own.incoming_phone_numbers.mobile.create(phone_number=wanted.phone_number, address_sid=there.sid)
    assert (number.address_requirements, number.address_sid) == ("local", there.sid)
    assert [one.sid for one in tenant.own.incoming_phone_numbers.mobile.list()] == [number.sid]


@fact
def what_is_no_address_is_refused(sim):
    tenant = sim.subaccount()
    place = {"customer_name": "Ada", "street": "1 Main St", "city": "Berlin", "region": "Berlin"}
    refused(400, 21628, lambda: tenant.own.addresses.create(iso_country="DE", postal_code="nowhere", **place))


@fact
def a_number_moves_between_accounts_with_its_old_urls(sim):
    one, other = sim.subaccount(), sim.subaccount()
    number = bought(sim.main, voice_url="https://example.com/old", sms_url="https://example.com/sms")
    for losing, gaining in [(sim.main, one), (one.acting, other), (other.acting, None)]:
        target = gaining.sid if gaining else sim.sid
        moved = losing.incoming_phone_numbers(number.sid).update(account_sid=target)
        assert LocalHttpClient.last.status_code == 200
        assert (moved.sid, moved.account_sid, moved.phone_number) == (number.sid, target, number.phone_number)
        assert (moved.voice_url, moved.sms_url) == ("https://example.com/old", "https://example.com/sms")
        refused(404, 20404, losing.incoming_phone_numbers(number.sid).fetch)
    sim.main.incoming_phone_numbers(number.sid).delete()


@fact
def a_transfer_may_set_the_number_up_anew(sim):
    one, other = sim.subaccount(), sim.subaccount()
    number = bought(one.acting, voice_url="https://example.com/old")
    moved = one.acting.incoming_phone_numbers(number.sid).update(
        account_sid=other.sid, voice_url="https://example.com/new"
    )
    assert (moved.account_sid, moved.voice_url) == (other.sid, "https://example.com/new")
    assert [shown.sid for shown in other.own.incoming_phone_numbers.list()] == [number.sid]
    assert one.own.incoming_phone_numbers.list() == []


@fact
def a_transfer_says_what_is_wrong_with_its_target(sim):
    tenant, closed, suspended = sim.subaccount(), sim.subaccount(), sim.subaccount()
    closed.resource.update(status="closed")
    suspended.resource.update(status="suspended")
    number = bought(tenant.acting)
    move = tenant.acting.incoming_phone_numbers(number.sid).update
    refused(400, 21470, lambda: move(account_sid="nonsense"))
    refused(400, 21471, lambda: move(account_sid="AC" + "e" * 32))
    refused(400, 21472, lambda: move(account_sid=closed.sid))
    refused(400, 21472, lambda: move(account_sid=suspended.sid))
    stranger = sim.post("foreign_accounts", {})["sid"]
    refused(400, 21473, lambda: move(account_sid=stranger))
    assert tenant.acting.incoming_phone_numbers(number.sid).fetch().account_sid == tenant.sid


@fact
def a_whatsapp_sender_stays_where_it_is(sim):
    one, other = sim.subaccount(), sim.subaccount()
    number = sim.post("numbers", {"account_sid": one.sid, "whatsapp_sender": True})
    one.acting.incoming_phone_numbers(number["sid"]).update(account_sid=other.sid)
    [shown] = [held for held in sim.get("numbers") if held["sid"] == number["sid"]]
    assert (shown["account_sid"], shown["whatsapp_sender_of"]) == (other.sid, one.sid), shown


@fact
def only_the_main_account_transfers(sim):
    tenant, other = sim.subaccount(), sim.subaccount()
    number = bought(tenant.own)
    refused(400, 21474, lambda: tenant.own.incoming_phone_numbers(number.sid).update(account_sid=other.sid))
    key = tenant.resource.new_keys.create()
    client = sim.client(key.sid, key.secret, tenant.sid)
    refused(400, 21474, lambda: client.incoming_phone_numbers(number.sid).update(account_sid=other.sid))


@fact
def an_address_must_be_the_gaining_account_s(sim):
    losing, gaining = sim.subaccount(), sim.subaccount()
    wanted, theirs = needing(losing.acting, "any"), address(losing.acting, "US")
    number = losing.acting.incoming_phone_numbers.create(phone_number=wanted.phone_number, address_sid=theirs.sid)
    move = losing.acting.incoming_phone_numbers(number.sid).update
    refused(400, 21613, lambda: move(account_sid=gaining.sid))
    refused(400, 21613, lambda: move(account_sid=gaining.sid, address_sid=theirs.sid))
    ours = address(gaining.acting, "DE")
    refused(400, 21631, lambda: move(account_sid=gaining.sid))
    moved = move(account_sid=gaining.sid, address_sid=ours.sid)
    assert (moved.account_sid, moved.address_sid) == (gaining.sid, ours.sid)


@fact
def suspended_accounts_keep_their_numbers_and_buy_none(sim):
    tenant = sim.subaccount()
    number = bought(tenant.acting)
    tenant.resource.update(status="suspended")
    refused(401, 20005, lambda: bought(tenant.acting))
    assert [shown.sid for shown in tenant.acting.incoming_phone_numbers.list()] == [number.sid]


@fact
def closing_an_account_releases_its_numbers(sim):
    tenant, other = sim.subaccount(), sim.subaccount()
    number = bought(tenant.acting)
    tenant.resource.update(status="closed")
    assert tenant.acting.incoming_phone_numbers.list() == []
    again = other.acting.incoming_phone_numbers.create(phone_number=number.phone_number)
    assert again.sid != number.sid
