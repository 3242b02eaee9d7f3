//! Amounts, quantities and names as people read them.

use domain::Decimal;
use domain::category::Category;
use domain::ledger::EntryKind;
use domain::money::{Currency, to_text};

/// With the currency's decimals at least, more where there are more, and thousands apart.
pub fn amount(value: Decimal, currency: &str) -> String {
    let scale = Currency::parse(currency).map_or(2, Currency::minor_scale);
    let text = to_text(value);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let scale = usize::try_from(scale).unwrap_or_default();
    let whole = grouped(whole);
    if fraction.is_empty() && scale == 0 {
        return whole;
    }
    format!("{whole}.{fraction:0<scale$}")
}

/// A count or a number of minutes.
pub fn quantity(value: Decimal) -> String {
    let text = to_text(value);
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole)),
        None => grouped(&text),
    }
}

fn grouped(whole: &str) -> String {
    let (sign, digits) = whole
        .strip_prefix('-')
        .map_or(("", whole), |rest| ("\u{2212}", rest));
    let mut text = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate as people say it: 0.19 is 19 %.
pub fn percent(rate: Decimal) -> String {
    format!("{}\u{a0}%", to_text(rate * Decimal::ONE_HUNDRED))
}

/// A category's name on a statement.
pub fn category(category: &Category) -> String {
    let name = match category.as_str() {
        "calls-inbound" => "Calls received",
        "calls-outbound" => "Calls made",
        "sms-inbound" => "SMS received",
        "sms-outbound" => "SMS sent",
        "mms-inbound" => "MMS received",
        "mms-outbound" => "MMS sent",
        "phonenumbers" => "Phone numbers",
        "tenant-fee" => "Monthly fee",
        "number-fee" => "Monthly fee per number",
        "sms-messages-carrierfees" => "SMS carrier fees",
        "mms-messages-carrierfees" => "MMS carrier fees",
        "other" => "Other usage",
        other => return capitalized(&other.replace('-', " ")),
    };
    name.to_owned()
}

/// What an entry is called on a statement.
pub fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Opening => "Opening",
        EntryKind::Usage => "Usage",
        EntryKind::TopUp => "Payment",
        EntryKind::Credit => "Promotional credit",
        EntryKind::Refund => "Refund",
        EntryKind::Chargeback => "Chargeback",
        EntryKind::Adjustment => "Adjustment",
        EntryKind::TransferOut => "Transfer out",
        EntryKind::TransferIn => "Transfer in",
        EntryKind::WriteOff => "Debt written off",
        EntryKind::Expiry => "Credit expired",
        EntryKind::Statement => "Tax and rounding",
        EntryKind::CreditNote => "Credit note",
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_currencys_decimals_and_lose_none() {
        let of = |text: &str, currency: &str| amount(text.parse().unwrap(), currency);
        assert_eq!(of("1234567.5", "USD"), "1,234,567.50");
        assert_eq!(of("-1234.005", "USD"), "\u{2212}1,234.005");
        assert_eq!(of("100", "JPY"), "100");
        assert_eq!(of("0.5", "JPY"), "0.5");
        assert_eq!(of("1", "KWD"), "1.000");
        assert_eq!(percent("0.075".parse().unwrap()), "7.5\u{a0}%");
        assert_eq!(quantity("12345.5".parse().unwrap()), "12,345.5");
    }

    #[test]
    fn every_category_has_a_name() {
        for one in Category::all() {
            let name = category(&one);
            assert!(
                name.chars().next().is_some_and(char::is_uppercase),
                "{name}"
            );
        }
    }
}
