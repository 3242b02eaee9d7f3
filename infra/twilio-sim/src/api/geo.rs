//! Which countries messages may be sent to: all that the tariff knows, since nothing here forbids one.

use crate::json::Obj;
use crate::world::World;
use crate::world::tariff::{COUNTRIES, Country};

use super::answer::{Answer, Refusal};
use super::ask::{Ask, Product};
use super::route::{Operation, Target, get};

pub(super) const OPERATIONS: &[Operation] = &[get(
    "/v1/Messaging/GeoPermissions",
    "/twilio/messaging/geo-permissions/list",
    list,
)
.of(Product::Accounts)];

#[expect(clippy::unnecessary_wraps, reason = "one shape for every operation")]
fn list(_: &mut World, ask: &Ask, _: &Target<'_>) -> Result<Answer, Refusal> {
    let wanted = ask.query("CountryCode");
    let fits = |country: &&Country| wanted.is_none_or(|iso| country.iso.eq_ignore_ascii_case(iso));
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        let permissions = object.name("permissions");
        permissions.push(b'[');
        for (at, country) in COUNTRIES.iter().filter(fits).enumerate() {
            if at > 0 {
                permissions.push(b',');
            }
            let mut permission = Obj::open(permissions);
            permission
                .str("country_code", country.iso)
                .str("type", "country")
                .bool("enabled", true)
                .str("prefix", country.prefix)
                .str("message", "");
            permission.close();
        }
        permissions.push(b']');
        object.close();
    }))
}
