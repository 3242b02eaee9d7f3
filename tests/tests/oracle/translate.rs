//! A world's plain data as the product's values.

use domain::category::{DetailFamily, Direction};
use domain::detail::{Item, minutes};
use domain::ids::{PlanId, ulid};
use domain::money::{Currency, to_text};
use domain::plan::{Override, Payment, PlanRef, PricePlan, Rule, TenantDefaults};
use domain::standing::StandingPolicy;
use domain::usage::UsageRecord;
use oracle::world;
use serde_json::{Value, json};

pub fn plan_ref(index: usize) -> PlanRef {
    PlanRef {
        id: PlanId::from_ulid(ulid(1, index as u128 + 1)),
        version: 1,
    }
}

/// As an API client writes a rule.
pub fn rule_json(rule: &world::Rule) -> Value {
    let mut model = match &rule.model {
        world::Model::Multiplier(multiplier, minimum) => {
            let mut model = json!({ "type": "multiplier", "multiplier": to_text(*multiplier) });
            if let Some(minimum) = minimum {
                model["minimum_per_unit"] = json!(to_text(*minimum));
            }
            model
        }
        world::Model::Unit(price, steps) => {
            let mut model = json!({ "type": "unit", "unit_price": to_text(*price) });
            if let Some((first, next)) = steps {
                model["increments"] = json!({ "first_s": first, "next_s": next });
            }
            model
        }
        world::Model::Graduated(tiers) => {
            json!({ "type": "graduated", "tiers": tiers_json(tiers) })
        }
        world::Model::Volume(tiers) => json!({ "type": "volume", "tiers": tiers_json(tiers) }),
        world::Model::Package(size, price) => {
            json!({ "type": "package", "size": to_text(*size), "package_price": to_text(*price) })
        }
        world::Model::Allowance(included, price) => {
            json!({ "type": "allowance", "included": to_text(*included), "overage_unit_price": to_text(*price) })
        }
        world::Model::Fee(fee) => json!({ "type": "fee", "monthly_fee": to_text(*fee) }),
    };
    if !matches!(rule.model, world::Model::Fee(_)) {
        model["per"] = json!(if rule.per_count { "count" } else { "usage" });
    }
    let mut json = json!({ "id": rule.id, "category": rule.category, "model": model });
    if let Some(direction) = rule.direction {
        json["direction"] = json!(direction);
    }
    if let Some(country) = rule.country {
        json["country"] = json!(country);
    }
    if !rule.prefixes.is_empty() {
        json["prefixes"] = json!(rule.prefixes);
    }
    if let Some(number_type) = rule.number_type {
        json["number_type"] = json!(number_type);
    }
    if let Some(floor) = rule.floor {
        json["margin_floor"] = json!(to_text(floor));
    }
    json
}

fn tiers_json(tiers: &[world::Tier]) -> Value {
    let tiers = tiers.iter().map(|tier| {
        let mut json = json!({ "unit_price": to_text(tier.price), "flat_fee": to_text(tier.fee) });
        if let Some(up_to) = tier.up_to {
            json["up_to"] = json!(to_text(up_to));
        }
        json
    });
    tiers.collect()
}

fn rule(rule: &world::Rule) -> Rule {
    let json = rule_json(rule);
    serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// The plan, which must be one that the API takes.
pub fn plan(index: usize, plan: &world::Plan) -> PricePlan {
    let plan = PricePlan {
        reference: plan_ref(index),
        name: "Plan".to_owned(),
        currency: Currency::USD,
        default_multiplier: Some(plan.default),
        rules: plan.rules.iter().map(rule).collect(),
        margin_floor: plan.floor,
        payment: Payment::Prepaid,
        due_days: 14,
        standing: StandingPolicy::default(),
        guards: domain::guards::GuardPolicy::default(),
        defaults: TenantDefaults::default(),
    };
    plan.check()
        .unwrap_or_else(|error| panic!("{error}: {:?}", plan.rules));
    plan
}

pub fn own(own: &world::Own) -> Override {
    Override {
        number: own.number,
        from: own.from,
        until: own.until,
        rule: rule(&own.rule),
    }
}

pub fn records(said: &world::Said) -> Vec<UsageRecord> {
    let records = said.records.iter().map(|record| UsageRecord {
        category: record.category.clone(),
        day: record.day,
        count: Some(record.count),
        usage: Some(record.usage),
        price: Some(record.price),
        price_unit: Some("usd".to_owned()),
        as_of: Some(said.as_of),
    });
    records.collect()
}

pub fn items(said: &world::Said) -> Vec<Item> {
    let items = said.items.iter().map(|item| {
        let (family, units) = match item.family {
            "calls" => (DetailFamily::Calls, minutes(item.seconds)),
            "sms" => (DetailFamily::Sms, item.segments),
            _ => (DetailFamily::Mms, 1),
        };
        let direction = match item.direction {
            "inbound" => Direction::Inbound,
            _ => Direction::Outbound,
        };
        Item {
            sid: item.sid.clone(),
            family,
            direction,
            at: item.at,
            from: item.from.clone(),
            to: item.to.clone(),
            units,
            duration_s: item.seconds,
            price: item.price,
            price_unit: Some("USD".to_owned()),
        }
    });
    items.collect()
}
