//! The codes of Twilio's error dictionary that matter here, and how an answer with each of them is judged.
//!
//! A code that is not listed is judged by its HTTP status. The table in the documentation of `ErrorCode` is
//! held against this one by a test.

use std::fmt;

use crate::error::{AlarmReason, RejectReason, RetryReason};

/// A code of Twilio's error dictionary.
///
/// How an answer with a code is judged (codes that are not listed: by the HTTP status):
///
/// | code | judged as | Twilio's words, shortened |
/// |---|---|---|
/// | 10001 | refused: the account is not active | Account is not active |
/// | 20001 | refused: a value is not accepted | Unknown or invalid parameters |
/// | 20002 | refused: a value is not accepted | Invalid FriendlyName |
/// | 20003 | alarm: credentials refused | Authenticate |
/// | 20004 | alarm: the answer breaks the contract | Method not allowed |
/// | 20005 | refused: the account is not active | Account not active |
/// | 20006 | alarm: credentials refused | Access denied |
/// | 20007 | alarm: the answer breaks the contract | Page size too large |
/// | 20008 | alarm: credentials refused | Resource not accessible with test account credentials |
/// | 20403 | refused: not allowed | Forbidden |
/// | 20404 | refused: no such resource | The requested resource was not found |
/// | 20429 | never processed: asked again | Too many requests |
/// | 20500 | failed: asked again where harmless, else the outcome is unknown | Internal server error |
/// | 20503 | failed: asked again where harmless, else the outcome is unknown | Service unavailable |
/// | 21101 | alarm: the credentials do not belong here | Subaccounts cannot contain subaccounts |
/// | 21201 | refused: a value is not accepted | No 'To' number |
/// | 21211 | refused: a value is not accepted | Invalid 'To' phone number |
/// | 21212 | refused: a value is not accepted | Invalid 'From' phone number |
/// | 21215 | refused: the destination is not permitted | Account not authorized to call phone number |
/// | 21220 | refused: the state does not allow it | Invalid call state |
/// | 21401 | refused: a value is not accepted | Invalid phone number |
/// | 21404 | refused: not for trial accounts | Inbound phone numbers not available to trial accounts |
/// | 21408 | refused: the destination is not permitted | Permission to send has not been enabled for the region |
/// | 21421 | refused: a value is not accepted | PhoneNumber is invalid |
/// | 21422 | refused: no such number is to be had | PhoneNumber is not available for purchase |
/// | 21451 | refused: a value is not accepted | Invalid area code |
/// | 21452 | refused: no such number is to be had | No phone numbers found in area code |
/// | 21470 | refused: the number cannot go to that account | Invalid AccountSid |
/// | 21471 | refused: the number cannot go to that account | Account does not exist |
/// | 21472 | refused: the number cannot go to that account | Account is not active |
/// | 21473 | refused: the number cannot go to that account | Account is not related to the number's owner |
/// | 21474 | alarm: the credentials do not belong here | API user must be the parent account |
/// | 21475 | refused: a value is not accepted | Invalid Status |
/// | 21476 | alarm: the account is limited by Twilio | Parent account is suspended |
/// | 21477 | refused: the state does not allow it | Unable to update Status for parent accounts |
/// | 21478 | alarm: the account is limited by Twilio | Subaccount has been suspended by Twilio |
/// | 21479 | refused: the state does not allow it | Subaccount has been closed |
/// | 21480 | alarm: the account is limited by Twilio | Maximum number of subaccounts |
/// | 21481 | stale: the list is to be read anew | Invalid PageToken |
/// | 21502 | refused: a value is not accepted | Invalid callback URL |
/// | 21602 | refused: a value is not accepted | Message body is required |
/// | 21604 | refused: a value is not accepted | 'To' phone number is required |
/// | 21606 | refused: a value is not accepted | 'From' is not a message-capable Twilio number |
/// | 21608 | refused: not for trial accounts | Trial accounts cannot send to unverified numbers |
/// | 21609 | refused: a value is not accepted | Invalid StatusCallback URL |
/// | 21610 | refused: the recipient has unsubscribed | Unsubscribed recipient |
/// | 21611 | not processed, to be asked later: the queue is full | Maximum number of queued messages |
/// | 21613 | refused: an address is required | Phone number requires an address |
/// | 21615 | refused: a local address is required | Phone number requires a local address |
/// | 21624 | refused: a foreign address is required | Phone number requires a foreign address |
/// | 21625 | refused: a number needs this address | Address required for active number |
/// | 21631 | refused: an address is required | AddressSid must be passed |
/// | 30002 | in a message only: it was not delivered | Account suspended |
/// | 30003 | in a message only: it was not delivered | Unreachable destination handset |
/// | 30004 | in a message only: it was not delivered | Message blocked |
/// | 30005 | in a message only: it was not delivered | Unknown destination handset |
/// | 30006 | in a message only: it was not delivered | Landline or unreachable carrier |
/// | 30007 | in a message only: it was not delivered | Message filtered |
/// | 30008 | in a message only: it was not delivered | Unknown error |
/// | 59200 | refused: a limit is reached | Account limit reached |
/// | 70002 | alarm: the answer breaks the contract | Paged requests must include a PageToken |
/// | 70051 | alarm: credentials refused | Authorization failed |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(pub u32);

/// How an answer with a code is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeClass {
    /// Never processed: even a create is asked again, here and now.
    #[error("never processed: asked again")]
    Throttled,
    /// Twilio failed: a read is asked again, the outcome of a create is unknown.
    #[error("failed: asked again where harmless, else the outcome is unknown")]
    Failed,
    /// A link of a list has aged.
    #[error("stale: the list is to be read anew")]
    Stale,
    /// Not processed, and not worth asking again at once.
    #[error("not processed, to be asked later: {0}")]
    Later(RetryReason),
    /// A person has to look.
    #[error("alarm: {0}")]
    Alarm(AlarmReason),
    /// The answer is no.
    #[error("refused: {0}")]
    Reject(RejectReason),
    /// No answer to a request: it stands in a message, and says why that was not delivered.
    #[error("in a message only: it was not delivered")]
    Delivery,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $class:expr;)+) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($number);)+

            /// How an answer with this code is judged; `None` for a code that is not listed.
            pub fn class(self) -> Option<CodeClass> {
                use AlarmReason as Alarm;
                use CodeClass as Class;
                use RejectReason as Reject;
                match self {
                    $(Self::$name => Some($class),)+
                    _ => None,
                }
            }

            /// Every listed code.
            #[cfg(test)]
            const LISTED: &[Self] = &[$(Self::$name,)+];
        }
    };
}

codes! {
    /// Account is not active.
    ACCOUNT_INACTIVE = 10001, Class::Reject(Reject::AccountInactive);
    /// A parameter is unknown or its value not valid.
    PARAMETER_INVALID = 20001, Class::Reject(Reject::Invalid);
    /// The friendly name is not valid.
    FRIENDLY_NAME_INVALID = 20002, Class::Reject(Reject::Invalid);
    /// The credentials are not accepted.
    AUTHENTICATE = 20003, Class::Alarm(Alarm::CredentialsRefused);
    /// The resource has no such method.
    METHOD_NOT_ALLOWED = 20004, Class::Alarm(Alarm::ContractBroken);
    /// Account not active.
    ACCOUNT_NOT_ACTIVE = 20005, Class::Reject(Reject::AccountInactive);
    /// Access denied.
    ACCESS_DENIED = 20006, Class::Alarm(Alarm::CredentialsRefused);
    /// The page size is too large.
    PAGE_SIZE_TOO_LARGE = 20007, Class::Alarm(Alarm::ContractBroken);
    /// Test credentials do not reach this.
    TEST_CREDENTIALS = 20008, Class::Alarm(Alarm::CredentialsRefused);
    /// Forbidden.
    FORBIDDEN = 20403, Class::Reject(Reject::Forbidden);
    /// No such resource.
    NOT_FOUND = 20404, Class::Reject(Reject::NotFound);
    /// Too many concurrent requests; not processed.
    TOO_MANY_REQUESTS = 20429, Class::Throttled;
    /// Internal server error.
    INTERNAL = 20500, Class::Failed;
    /// Service unavailable.
    UNAVAILABLE = 20503, Class::Failed;
    /// A subaccount tried to make a subaccount.
    SUBACCOUNT_IN_SUBACCOUNT = 21101, Class::Alarm(Alarm::WrongCredentials);
    /// A call without anyone to call.
    CALL_TO_MISSING = 21201, Class::Reject(Reject::Invalid);
    /// Whom to call or send to: not a valid number.
    TO_INVALID = 21211, Class::Reject(Reject::Invalid);
    /// Who calls: not a valid number.
    FROM_INVALID = 21212, Class::Reject(Reject::Invalid);
    /// The account may not call that number (geographic permissions).
    CALL_NOT_PERMITTED = 21215, Class::Reject(Reject::NotPermitted);
    /// The call is not in a state that allows this.
    INVALID_CALL_STATE = 21220, Class::Reject(Reject::InvalidState);
    /// Not a valid phone number.
    PHONE_NUMBER_INVALID = 21401, Class::Reject(Reject::Invalid);
    /// Trial accounts have no numbers of their own choice.
    NUMBERS_NOT_ON_TRIAL = 21404, Class::Reject(Reject::TrialAccount);
    /// The account may not send to that region.
    MESSAGE_NOT_PERMITTED = 21408, Class::Reject(Reject::NotPermitted);
    /// The number to buy is not valid.
    PURCHASE_INVALID = 21421, Class::Reject(Reject::Invalid);
    /// The number to buy is not for sale: perhaps because we hold it.
    NUMBER_UNAVAILABLE = 21422, Class::Reject(Reject::NumberUnavailable);
    /// Not a valid area code.
    AREA_CODE_INVALID = 21451, Class::Reject(Reject::Invalid);
    /// No number to be had in the area code.
    AREA_CODE_EMPTY = 21452, Class::Reject(Reject::NumberUnavailable);
    /// Transfer: not a valid account.
    TRANSFER_ACCOUNT_INVALID = 21470, Class::Reject(Reject::TransferRefused);
    /// Transfer: no such account.
    TRANSFER_ACCOUNT_UNKNOWN = 21471, Class::Reject(Reject::TransferRefused);
    /// Transfer: the account is not active.
    TRANSFER_ACCOUNT_INACTIVE = 21472, Class::Reject(Reject::TransferRefused);
    /// Transfer: the account is not related to the number's owner.
    TRANSFER_ACCOUNT_UNRELATED = 21473, Class::Reject(Reject::TransferRefused);
    /// Transfer: only the parent account may.
    TRANSFER_NOT_PARENT = 21474, Class::Alarm(Alarm::WrongCredentials);
    /// Account status: not a valid value.
    STATUS_INVALID = 21475, Class::Reject(Reject::Invalid);
    /// Account status: the parent account is suspended.
    STATUS_PARENT_SUSPENDED = 21476, Class::Alarm(Alarm::AccountLimited);
    /// Account status: the account is the parent.
    STATUS_OF_PARENT = 21477, Class::Reject(Reject::InvalidState);
    /// Account status: Twilio itself suspended the subaccount.
    STATUS_SUSPENDED_BY_TWILIO = 21478, Class::Alarm(Alarm::AccountLimited);
    /// Account status: the subaccount is closed for good.
    STATUS_CLOSED = 21479, Class::Reject(Reject::InvalidState);
    /// No more subaccounts allowed.
    SUBACCOUNTS_EXHAUSTED = 21480, Class::Alarm(Alarm::AccountLimited);
    /// The page token is not valid (any more).
    PAGE_TOKEN_INVALID = 21481, Class::Stale;
    /// The callback URL is not valid.
    CALLBACK_URL_INVALID = 21502, Class::Reject(Reject::Invalid);
    /// A message without a body.
    MESSAGE_BODY_MISSING = 21602, Class::Reject(Reject::Invalid);
    /// A message to nobody.
    MESSAGE_TO_MISSING = 21604, Class::Reject(Reject::Invalid);
    /// The sender is not a number that can send messages.
    MESSAGE_FROM_INVALID = 21606, Class::Reject(Reject::Invalid);
    /// Trial accounts send to verified numbers only.
    RECIPIENT_UNVERIFIED = 21608, Class::Reject(Reject::TrialAccount);
    /// The status callback URL is not valid.
    STATUS_CALLBACK_INVALID = 21609, Class::Reject(Reject::Invalid);
    /// The recipient has answered STOP.
    RECIPIENT_UNSUBSCRIBED = 21610, Class::Reject(Reject::Unsubscribed);
    /// The sender's queue is full; not processed.
    MESSAGE_QUEUE_FULL = 21611, Class::Later(RetryReason::QueueFull);
    /// The number needs an address.
    ADDRESS_REQUIRED = 21613, Class::Reject(Reject::AddressRequired);
    /// The number needs an address in its own area.
    LOCAL_ADDRESS_REQUIRED = 21615, Class::Reject(Reject::LocalAddressRequired);
    /// The number needs an address abroad.
    FOREIGN_ADDRESS_REQUIRED = 21624, Class::Reject(Reject::ForeignAddressRequired);
    /// The address cannot go while a number needs it.
    ADDRESS_IN_USE = 21625, Class::Reject(Reject::AddressInUse);
    /// The number needs an address, and none was named.
    ADDRESS_SID_REQUIRED = 21631, Class::Reject(Reject::AddressRequired);
    /// Message: the account is suspended.
    DELIVERY_ACCOUNT_SUSPENDED = 30002, Class::Delivery;
    /// Message: the handset cannot be reached.
    DELIVERY_UNREACHABLE = 30003, Class::Delivery;
    /// Message: blocked.
    DELIVERY_BLOCKED = 30004, Class::Delivery;
    /// Message: no such handset.
    DELIVERY_UNKNOWN_HANDSET = 30005, Class::Delivery;
    /// Message: a landline, or a carrier that cannot be reached.
    DELIVERY_LANDLINE = 30006, Class::Delivery;
    /// Message: filtered by the carrier.
    DELIVERY_FILTERED = 30007, Class::Delivery;
    /// Message: for a reason unknown.
    DELIVERY_UNKNOWN = 30008, Class::Delivery;
    /// No more resources of that type allowed.
    ACCOUNT_LIMIT_REACHED = 59200, Class::Reject(Reject::LimitReached);
    /// A page was asked for without its token.
    PAGE_TOKEN_MISSING = 70002, Class::Alarm(Alarm::ContractBroken);
    /// The key's permissions do not allow this.
    AUTHORIZATION_FAILED = 70051, Class::Alarm(Alarm::CredentialsRefused);
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{Facts, Verdict, judge_status};
    use crate::error::Error;
    use crate::request::Effect;

    /// The rows of the documented table: code, and what it is judged as.
    fn documented() -> Vec<(ErrorCode, String)> {
        let rows = include_str!("codes.rs").lines().filter_map(|line| {
            let mut cells = line.strip_prefix("/// | ")?.split(" | ");
            let code = ErrorCode(cells.next()?.parse().ok()?);
            Some((code, cells.next()?.to_owned()))
        });
        rows.collect()
    }

    fn judged(code: ErrorCode, effect: Effect) -> Verdict {
        let facts = Facts {
            status: 400,
            ..Facts::default()
        };
        let body = format!(r#"{{"code":{code},"message":"no","status":400}}"#);
        judge_status(effect, &facts, body.as_bytes())
    }

    #[test]
    fn the_documented_table_is_the_classification() {
        let documented = documented();
        let codes: Vec<_> = documented.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, ErrorCode::LISTED);
        for (code, class) in documented {
            let found = code.class().map(|class| class.to_string());
            assert_eq!(found, Some(class), "{code}");
        }
    }

    #[test]
    fn an_answer_is_judged_as_its_code_is_classed() {
        let create = Effect::Create {
            what_to_look_for: "look",
        };
        for code in ErrorCode::LISTED {
            let class = code.class().unwrap();
            let (reading, creating) = (judged(*code, Effect::Read), judged(*code, create));
            let is_right = match class {
                CodeClass::Throttled => {
                    matches!(reading, Verdict::Again(Error::Retry { .. }))
                        && matches!(creating, Verdict::Again(Error::Retry { .. }))
                }
                CodeClass::Failed => {
                    matches!(reading, Verdict::Again(Error::Retry { .. }))
                        && matches!(creating, Verdict::Stop(Error::UnknownOutcome { .. }))
                }
                CodeClass::Stale => {
                    matches!(
                        reading,
                        Verdict::Stop(Error::Retry {
                            reason: RetryReason::StateMoved,
                            ..
                        })
                    ) && matches!(creating, Verdict::Stop(Error::Reject { .. }))
                }
                CodeClass::Later(expected) => [reading, creating].iter().all(|verdict| {
                    matches!(verdict, Verdict::Stop(Error::Retry { reason, .. }) if *reason == expected)
                }),
                CodeClass::Alarm(expected) => [reading, creating].iter().all(|verdict| {
                    matches!(verdict, Verdict::Stop(Error::Alarm { reason, .. }) if *reason == expected)
                }),
                CodeClass::Reject(expected) => [reading, creating].iter().all(|verdict| {
                    matches!(verdict, Verdict::Stop(Error::Reject { reason, .. }) if *reason == expected)
                }),
                CodeClass::Delivery => matches!(
                    creating,
                    Verdict::Stop(Error::Reject {
                        reason: RejectReason::Other,
                        ..
                    })
                ),
            };
            assert!(is_right, "{code}: {class}");
        }
    }
}
