//! Moving a number to another account of the same family, with everything it needs there in one request.
//!
//! The path names the account that holds it. A number keeps its callbacks when it moves, so each of them is
//! set or cleared in the same request: nothing a tenant's number hears may reach its former owner.

use domain::ids::{AccountSid, PhoneNumberSid};

use super::{IncomingNumber, NumberSettings, PATH};
use crate::client::Client;
use crate::credentials::MainCredentials;
use crate::error::{AlarmReason, Error};
use crate::hosts::{ApiOfMain, Host};
use crate::request::Effect;

/// A number's move.
#[derive(Debug, Clone)]
pub struct NumberTransfer {
    /// The account that is to hold it.
    pub to: AccountSid,
    /// Its configuration there. Callbacks that are not given are cleared. Address and bundle must exist in
    /// the account that is to hold it, where the number needs them.
    pub settings: NumberSettings,
}

impl Client {
    /// Moves a number from one account to another; one that has moved already is configured as asked.
    ///
    /// Only the parent of both accounts may. A `Reject` with `RejectReason::AddressRequired` (or a local, a
    /// foreign one) needs an address in the gaining account first; `TransferRefused` is about that account
    /// itself.
    pub async fn transfer_incoming_number(
        &self,
        credentials: &MainCredentials,
        from: &AccountSid,
        number: &PhoneNumberSid,
        transfer: &NumberTransfer,
    ) -> Result<IncomingNumber, Error> {
        let settings = transfer.settings.with_callbacks_reset();
        let post = |holder: &AccountSid| {
            let ids = [holder.as_str(), number.as_str()];
            settings.fill(ApiOfMain::post(PATH, &ids, Effect::Idempotent))
        };
        let move_it = post(from).form("AccountSid", transfer.to.as_str());
        let moved: IncomingNumber = match self.send_json(credentials, &move_it).await {
            // An earlier attempt may have moved it: it is no longer where it was.
            Err(gone) if gone.is_not_found() && *from != transfer.to => {
                match self.send_json(credentials, &post(&transfer.to)).await {
                    Err(error) if error.is_not_found() => Err(gone),
                    outcome => outcome,
                }?
            }
            outcome => outcome?,
        };
        if moved.account_sid == transfer.to {
            Ok(moved)
        } else {
            Err(Error::alarm(AlarmReason::ContractBroken).caused_by("the number did not move"))
        }
    }
}
