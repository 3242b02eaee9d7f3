"""Applications, messaging services, prices, and what Twilio's monitor tells."""

import datetime
import re
from decimal import Decimal

from facts import Facts
from simulator import LocalHttpClient, refused

fact = Facts()

DAY = datetime.timedelta(days=1)
URLS = {
    "voice_url": "https://example.com/v",
    "sms_url": "https://example.com/s",
    "status_callback": "https://example.com/c",
}


@fact
def applications_are_kept(sim):
    tenant = sim.subaccount()
    applications = tenant.own.applications
    made = applications.create(
        friendly_name="App", voice_method="GET", message_status_callback="https://example.com/m", **URLS
    )
    assert LocalHttpClient.last.status_code == 201 and re.fullmatch("AP[0-9a-f]{32}", made.sid)
    assert (made.voice_url, made.voice_method, made.sms_url) == (URLS["voice_url"], "GET", URLS["sms_url"])
    assert made.message_status_callback == "https://example.com/m" and made.date_created == sim.now()
    changed = applications(made.sid).update(friendly_name="Renamed", sms_url="https://example.com/t")
    for shown in [changed, applications(made.sid).fetch(), *applications.list(friendly_name="Renamed")]:
        assert (shown.sid, shown.friendly_name, shown.sms_url) == (made.sid, "Renamed", "https://example.com/t")
        assert shown.voice_url == URLS["voice_url"]
    assert applications.list(friendly_name="App") == []
    assert applications(made.sid).delete() is True
    refused(404, 20404, applications(made.sid).fetch)


@fact
def an_application_in_another_account_is_not_found(sim):
    one, other = sim.subaccount(), sim.subaccount()
    made = one.own.applications.create(friendly_name="Mine")
    refused(404, 20404, other.own.applications(made.sid).fetch)
    refused(404, 20404, other.acting.applications(made.sid).delete)
    assert one.acting.applications(made.sid).fetch().sid == made.sid


@fact
def messaging_services_are_kept(sim):
    tenant = sim.subaccount()
    services = tenant.own.messaging.v1.services
    made = services.create(
        friendly_name="Alerts", status_callback="https://example.com/c", use_inbound_webhook_on_number=True
    )
    assert LocalHttpClient.last.status_code == 201 and re.fullmatch("MG[0-9a-f]{32}", made.sid)
    assert (made.account_sid, made.friendly_name) == (tenant.sid, "Alerts")
    assert made.status_callback == "https://example.com/c" and made.use_inbound_webhook_on_number is True
    assert made.date_created == sim.now() and made.sticky_sender in (True, False) and made.validity_period > 0
    changed = services(made.sid).update(friendly_name="Alarms", sticky_sender=False, validity_period=600)
    for shown in [changed, services(made.sid).fetch(), *services.list()]:
        assert (shown.sid, shown.friendly_name, shown.validity_period) == (made.sid, "Alarms", 600)
        assert shown.sticky_sender is False
    assert services(made.sid).delete() is True
    refused(404, 20404, services(made.sid).fetch)


@fact
def a_service_has_its_senders(sim):
    tenant, other = sim.subaccount(), sim.subaccount()
    number, foreign = tenant.number(), other.number()
    service = tenant.own.messaging.v1.services.create(friendly_name="S")
    senders = tenant.own.messaging.v1.services(service.sid).phone_numbers
    made = senders.create(phone_number_sid=number["sid"])
    assert (made.sid, made.service_sid, made.phone_number) == (number["sid"], service.sid, number["phone_number"])
    assert [one.sid for one in senders.list()] == [number["sid"]] and senders(made.sid).fetch().country_code == "US"
    refused(404, 20404, lambda: senders.create(phone_number_sid=foreign["sid"]))
    assert senders(made.sid).delete() is True and senders.list() == []
    refused(404, 20404, senders(made.sid).fetch)


@fact
def services_are_paged_by_absolute_links(sim):
    tenant = sim.subaccount()
    services = tenant.own.messaging.v1.services
    made = [services.create(friendly_name=f"Service {number}").sid for number in range(7)]
    page = services.page(page_size=3)
    assert page.next_page_url.startswith("https://messaging.twilio.com/v1/Services?")
    assert {service.sid for service in services.list(page_size=3)} == set(made)
    refused(400, 70002, lambda: services.page(page_number=1, page_size=3))


@fact
def voice_prices_are_shown_by_country_and_number(sim):
    tenant = sim.subaccount()
    voice = tenant.own.pricing.v2.voice
    countries = {country.iso_country: country for country in voice.countries.list()}
    assert countries["US"].country == "United States"
    germany = voice.countries("DE").fetch()
    assert germany.price_unit == "USD" and germany.outbound_prefix_prices and germany.inbound_call_prices
    for price in germany.outbound_prefix_prices:
        assert Decimal(price["current_price"]) > 0 and price["destination_prefixes"] and price["origination_prefixes"]
    number = voice.numbers("+4915112345678").fetch(origination_number="+14155550100")
    assert (number.destination_number, number.iso_country) == ("+4915112345678", "DE")
    assert Decimal(number.outbound_call_prices[0]["current_price"]) > 0
    refused(404, 20404, voice.countries("XX").fetch)


@fact
def messaging_and_number_prices_are_shown_by_country(sim):
    tenant = sim.subaccount()
    pricing = tenant.own.pricing.v1
    assert "GB" in [country.iso_country for country in pricing.messaging.countries.list()]
    britain = pricing.messaging.countries("GB").fetch()
    assert britain.price_unit == "USD" and Decimal(britain.outbound_sms_prices[0]["prices"][0]["current_price"]) > 0
    assert Decimal(britain.inbound_sms_prices[0]["current_price"]) >= 0
    assert "US" in [country.iso_country for country in pricing.phone_numbers.countries.list()]
    numbers = pricing.phone_numbers.countries("US").fetch().phone_number_prices
    prices = {price["number_type"]: Decimal(price["current_price"]) for price in numbers}
    assert prices["toll free"] > prices["local"] > 0
    refused(404, 20404, pricing.phone_numbers.countries("XX").fetch)


@fact
def older_voice_and_trunking_prices_are_shown_too(sim):
    tenant = sim.subaccount()
    voice, trunking = tenant.own.pricing.v1.voice, tenant.own.pricing.v2
    assert voice.countries.list() and voice.countries("US").fetch().outbound_prefix_prices
    assert voice.numbers("+14155550100").fetch().iso_country == "US"
    assert trunking.countries.list() and trunking.countries("US").fetch().terminating_prefix_prices
    assert trunking.numbers("+14155550100").fetch().terminating_prefix_prices


@fact
def a_price_is_the_one_that_is_charged(sim):
    tenant = sim.subaccount()
    number = tenant.number()["phone_number"]
    shown = tenant.own.pricing.v2.voice.numbers("+442079460123").fetch(origination_number=number)
    sid = tenant.call(to="+442079460123", duration_s=61)
    sim.advance(days=1)
    price = Decimal(tenant.own.calls(sid).fetch().price)
    assert -price == 2 * Decimal(shown.outbound_call_prices[0]["current_price"])


@fact
def events_tell_who_changed_what(sim):
    tenant = sim.subaccount()
    begin = sim.now()
    sim.advance(seconds=2)
    key = tenant.resource.new_keys.create(friendly_name="Seen")
    number = tenant.number()
    tenant.own.incoming_phone_numbers(number["sid"]).update(friendly_name="Set up")
    sim.advance(seconds=2)
    events = tenant.own.monitor.v1.events.list(start_date=begin, end_date=sim.now() + DAY)
    assert events and all(event.account_sid == tenant.sid for event in events)
    [about_key] = tenant.own.monitor.v1.events.list(resource_sid=key.sid)
    assert re.fullmatch("AE[0-9a-f]{32}", about_key.sid) and "key" in about_key.event_type
    assert begin < about_key.event_date <= sim.now()
    assert tenant.own.monitor.v1.events(about_key.sid).fetch().event_type == about_key.event_type
    same = tenant.own.monitor.v1.events.list(event_type=about_key.event_type)
    assert about_key.sid in [event.sid for event in same]
    assert tenant.own.monitor.v1.events.list(end_date=begin - DAY) == []
    refused(404, 20404, tenant.own.monitor.v1.events("AE" + "0" * 32).fetch)


@fact
def main_credentials_see_the_main_account_s_events_only(sim):
    tenant = sim.subaccount()
    key = tenant.resource.new_keys.create()
    assert sim.client(sim.sid, sim.token, tenant.sid).monitor.v1.events.list(resource_sid=key.sid) == []


@fact
def failed_callbacks_are_alerts(sim):
    tenant = sim.subaccount()
    tenant.number()
    sim.receiver.script("/broken", *[500] * 10)
    sid = tenant.call(outcome="busy", status_callback=sim.receiver.url("/broken"))
    sim.advance(minutes=5)
    alerts = tenant.own.monitor.v1.alerts.list()
    assert alerts and all(re.fullmatch("NO[0-9a-f]{32}", alert.sid) for alert in alerts)
    about = [alert for alert in alerts if alert.resource_sid == sid]
    assert about and about[0].error_code == "11200" and about[0].request_url == sim.receiver.url("/broken")
    fetched = tenant.own.monitor.v1.alerts(about[0].sid).fetch()
    assert fetched.error_code == "11200" and fetched.log_level == about[0].log_level == "error"
    assert fetched.request_variables and fetched.date_generated
    assert {alert.sid for alert in tenant.own.monitor.v1.alerts.list(log_level="error")} == {
        alert.sid for alert in alerts
    }
    assert tenant.own.monitor.v1.alerts.list(log_level="debug") == []
    assert tenant.own.monitor.v1.alerts.list(start_date=sim.now() - DAY, end_date=sim.now() + DAY)
    refused(404, 20404, tenant.own.monitor.v1.alerts("NO" + "0" * 32).fetch)


@fact
def geographic_permissions_are_shown(sim):
    tenant = sim.subaccount()
    shown = tenant.own.accounts.v1.messaging_geopermissions.fetch(country_code="US")
    [permission] = shown.permissions
    assert permission["country_code"] == "US" and permission["enabled"] is True
