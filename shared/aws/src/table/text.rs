//! Short texts inside items: an item's size is what its writes cost, so a line or a lot is one text.

use domain::lots::{Lot, LotClass, LotTag, PRIORITY_DEFAULT, Part};
use domain::money::{self, parse_decimal};
use domain::plan::RuleId;
use domain::rating::PeriodKey;
use domain::usage::{Category, LineKey, Quantities};
use domain::{Decimal, Timestamp};

/// Amounts as one text.
pub(crate) fn join(values: &[Decimal]) -> String {
    values
        .iter()
        .map(|value| money::to_text(*value))
        .collect::<Vec<_>>()
        .join("|")
}

fn split(text: &str) -> Option<Vec<Decimal>> {
    text.split('|')
        .map(|part| parse_decimal(part).ok())
        .collect()
}

/// Quantities and `N` amounts behind them; seconds only where there are any.
pub(crate) fn encode<const N: usize>(quantities: &Quantities, amounts: [Decimal; N]) -> String {
    let mut values = vec![quantities.count, quantities.usage, quantities.cost];
    values.extend(amounts);
    if !quantities.seconds.is_zero() {
        values.push(quantities.seconds);
    }
    join(&values)
}

/// Reads such a text.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<(Quantities, [Decimal; N])> {
    let mut values = split(text)?;
    let seconds = if values.len() == 4 + N {
        values.pop()?
    } else {
        Decimal::ZERO
    };
    let amounts: [Decimal; N] = values.get(3..)?.try_into().ok()?;
    let quantities = Quantities {
        count: values[0],
        usage: values[1],
        cost: values[2],
        seconds,
    };
    Some((quantities, amounts))
}

/// `sms-outbound`, or `sms-outbound/gb` where another rule than the default applies.
pub(crate) fn line_key(key: &LineKey) -> String {
    if key.rule.is_default() {
        key.category.as_str().to_owned()
    } else {
        format!("{}/{}", key.category, key.rule)
    }
}

/// Reads such a key.
pub(crate) fn parse_line_key(text: &str) -> Option<LineKey> {
    let (category, rule) = match text.split_once('/') {
        Some((category, rule)) => (category, RuleId::parse(rule)?),
        None => (text, RuleId::default_rule()),
    };
    Some(LineKey {
        category: Category::parse(category)?,
        rule,
    })
}

/// `plan_...:3/allowance` or `override-1`.
pub(crate) fn period_key(key: &PeriodKey) -> String {
    match &key.origin {
        domain::plan::Origin::Plan(plan) => format!("{}:{}/{}", plan.id, plan.version, key.rule),
        domain::plan::Origin::Override => key.rule.as_str().to_owned(),
    }
}

/// Reads such a key.
pub(crate) fn parse_period_key(text: &str) -> Option<PeriodKey> {
    let Some((plan, rule)) = text.split_once('/') else {
        return Some(PeriodKey {
            origin: domain::plan::Origin::Override,
            rule: RuleId::parse(text)?,
        });
    };
    let (id, version) = plan.split_once(':')?;
    let plan = domain::plan::PlanRef {
        id: domain::ids::PlanId::parse(id).ok()?,
        version: version.parse().ok()?,
    };
    Some(PeriodKey {
        origin: domain::plan::Origin::Plan(plan),
        rule: RuleId::parse(rule)?,
    })
}

/// `3`, with `p` for promotional, `:2` for a priority, `>` and `<` for its span in seconds.
fn lot(tag: &LotTag) -> String {
    let class = match tag.class {
        LotClass::Promotional => "p",
        LotClass::Paid => "",
    };
    let priority = match tag.priority {
        PRIORITY_DEFAULT => String::new(),
        priority => format!(":{priority}"),
    };
    let second = |mark: char, at: Option<Timestamp>| {
        at.map_or_else(String::new, |at| format!("{mark}{}", at.as_second()))
    };
    let (from, until) = (second('>', tag.effective_at), second('<', tag.expires_at));
    format!("{}{class}{priority}{from}{until}", tag.id)
}

fn parse_lot(text: &str) -> Option<LotTag> {
    let second = |text: &str| Timestamp::from_second(text.parse().ok()?).ok();
    let (text, expires_at) = match text.split_once('<') {
        Some((text, until)) => (text, Some(second(until)?)),
        None => (text, None),
    };
    let (text, effective_at) = match text.split_once('>') {
        Some((text, from)) => (text, Some(second(from)?)),
        None => (text, None),
    };
    let (text, priority) = match text.split_once(':') {
        Some((text, priority)) => (text, priority.parse().ok()?),
        None => (text, PRIORITY_DEFAULT),
    };
    let (text, class) = match text.strip_suffix('p') {
        Some(text) => (text, LotClass::Promotional),
        None => (text, LotClass::Paid),
    };
    Some(LotTag {
        id: text.parse().ok()?,
        class,
        priority,
        effective_at,
        expires_at,
    })
}

/// Parts in order: `3=12.5,0=1`.
pub(crate) fn parts(parts: &[Part]) -> String {
    let texts = parts
        .iter()
        .map(|part| format!("{}={}", lot(&part.lot), money::to_text(part.amount)));
    texts.collect::<Vec<_>>().join(",")
}

/// Reads such a text.
pub(crate) fn parse_parts(text: &str) -> Option<Vec<Part>> {
    let texts = text.split(',').filter(|text| !text.is_empty());
    texts
        .map(|text| {
            let (tag, amount) = text.split_once('=')?;
            Some(Part {
                lot: parse_lot(tag)?,
                amount: parse_decimal(amount).ok()?,
            })
        })
        .collect()
}

/// Open lots, as parts.
pub(crate) fn lots(lots: &[Lot]) -> String {
    let open = lots.iter().map(|lot| Part {
        lot: lot.tag,
        amount: lot.remaining,
    });
    parts(&open.collect::<Vec<_>>())
}

/// Reads them.
pub(crate) fn parse_lots(text: &str) -> Option<Vec<Lot>> {
    let open = parse_parts(text)?.into_iter().map(|part| Lot {
        tag: part.lot,
        remaining: part.amount,
    });
    Some(open.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_every_kind_of_lot_are_read_back() {
        let tag = LotTag {
            class: LotClass::Promotional,
            priority: 2,
            effective_at: Some(Timestamp::from_second(1_800_000_000).unwrap()),
            expires_at: Some(Timestamp::from_second(1_900_000_000).unwrap()),
            ..LotTag::paid(12)
        };
        let all = [LotTag::paid(3), tag, LotTag::overdraft()].map(|lot| Part {
            lot,
            amount: Decimal::new(-125, 1),
        });
        let text = parts(&all);
        assert_eq!(text, "3=-12.5,12p:2>1800000000<1900000000=-12.5,0=-12.5");
        assert_eq!(parse_parts(&text), Some(all.to_vec()));
        assert_eq!(parse_parts(""), Some(Vec::new()));
        for wrong in ["3", "x=1", "3p:=1", "3=1,4"] {
            assert_eq!(parse_parts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn keys_and_quantities_are_read_back() {
        for text in ["sms-outbound", "sms-outbound/gb-2", "number-fee/numbers"] {
            assert_eq!(line_key(&parse_line_key(text).unwrap()), text);
        }
        for text in [
            "override-3".to_owned(),
            format!("plan_{}:3/allowance", "0".repeat(26)),
        ] {
            assert_eq!(period_key(&parse_period_key(&text).unwrap()), text);
        }
        let quantities = Quantities {
            count: Decimal::ONE,
            seconds: Decimal::from(66),
            ..Quantities::default()
        };
        let text = encode(&quantities, [Decimal::TWO]);
        assert_eq!(text, "1|0|0|2|66");
        assert_eq!(decode(&text), Some((quantities, [Decimal::TWO])));
        assert_eq!(decode::<1>("1|2|3"), None);
        assert_eq!(decode::<1>("1|2|3|4|5|6"), None);
    }
}
