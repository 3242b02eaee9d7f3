//! Buying a number. Each costs a month's rent at once, so none may be bought twice.
//!
//! A certain number can only be bought once, so asking again is harmless; but the second time Twilio says
//! that it is not for sale, because we hold it. Who buys any number of an area gets one more each time.

use domain::ids::AccountSid;

use super::{IncomingNumber, IncomingNumberFilter, NumberSettings, PATH_OF_ALL};
use crate::client::Client;
use crate::codes::ErrorCode;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::places::E164;
use crate::request::Effect;
use crate::send::read_json;

impl Client {
    /// Buys a certain number. If the account holds it already, the answer is the number
    /// as it stands, which may be configured otherwise than asked for.
    ///
    /// `UnknownOutcome`: it was perhaps bought a moment ago and is not in the list yet; list again before
    /// giving up on it.
    pub async fn buy_incoming_number(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        phone_number: &E164,
        settings: &NumberSettings,
    ) -> Result<IncomingNumber, Error> {
        let request = Api::post(PATH_OF_ALL, &[account.as_str()], Effect::Idempotent)
            .form("PhoneNumber", phone_number.as_str());
        let request = settings.fill(request);
        let outcome = self.send_watched(credentials, &request, read_json).await;
        match outcome.result {
            Err(error) if error.code() == Some(ErrorCode::NUMBER_UNAVAILABLE) => {
                let filter = IncomingNumberFilter {
                    phone_number: Some(phone_number.to_string()),
                    ..IncomingNumberFilter::default()
                };
                let held = self
                    .list_incoming_numbers(credentials, account, &filter)
                    .await?;
                let held = held
                    .into_iter()
                    .find(|number| number.phone_number == phone_number.as_str());
                match held {
                    Some(number) => Ok(number),
                    None if outcome.is_doubtful => Err(Error::unknown(
                        "look for this number among the account's own: it may show late",
                    )),
                    None => Err(error),
                }
            }
            result => result,
        }
    }

    /// Buys any number of an area code. `UnknownOutcome`: list the account's numbers and look for one bought
    /// since then before buying again.
    pub async fn buy_incoming_number_in_area(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        area_code: &str,
        settings: &NumberSettings,
    ) -> Result<IncomingNumber, Error> {
        let effect = Effect::Create {
            what_to_look_for: "look for a number of that area code that came to the account since then",
        };
        let request =
            Api::post(PATH_OF_ALL, &[account.as_str()], effect).form("AreaCode", area_code);
        self.send_json(credentials, &settings.fill(request)).await
    }
}
