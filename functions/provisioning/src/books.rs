//! A tenant's books of a range of days, with the rules that they were rated by: what reports look at.

use std::collections::HashMap;

use domain::Date;
use domain::period::BillingCalendar;
use domain::plan::{Override, PlanRef, PricePlan, RuleSet};
use domain::rating::{DaySheet, PeriodSheet};
use domain::shares::{Share, shares};
use domain::tenant::Tenant;

use crate::app::App;
use crate::days::Days;
use crate::problem::{Failure, internal};

/// Sheets of the billing periods that a range of days touches, and what rated them.
pub struct Books {
    /// How the days fall into billing periods.
    pub calendar: BillingCalendar,
    /// Sheets of whole periods.
    pub sheets: Vec<DaySheet>,
    /// Their period sheets.
    pub periods: Vec<PeriodSheet>,
    plans: HashMap<PlanRef, PricePlan>,
    by_day: Vec<(Date, PlanRef)>,
    overrides: Vec<Override>,
}

impl Books {
    /// Reads what is booked for the days, and around them as far as their billing periods go.
    pub async fn load(app: &App, tenant: &Tenant, days: Days) -> Result<Self, Failure> {
        let calendar = tenant.billing.calendar().map_err(internal)?;
        let first = calendar.period_of(days.from);
        let mut starts = vec![first.start];
        let mut last = first.clone();
        while last.last_day < days.to {
            last = calendar.after(&last);
            starts.push(last.start);
        }
        let periods = app.store.period_sheets(&tenant.id, &starts).await?;
        let (from, to) = if periods.is_empty() {
            (days.from, days.to)
        } else {
            (first.first_day, last.last_day)
        };
        let sheets = app.store.day_sheets(&tenant.id, from, to).await?;
        let mut books = Self {
            calendar,
            periods,
            plans: HashMap::new(),
            by_day: Vec::new(),
            overrides: tenant.overrides.clone(),
            sheets,
        };
        for sheet in &books.sheets {
            let reference = tenant.plan_on(sheet.day);
            let reference = reference.ok_or_else(|| internal("a tenant without a plan"))?;
            if !books.plans.contains_key(reference) {
                let plan = app.plan(reference).await?;
                let plan = plan.ok_or_else(|| internal("a tenant's plan version is missing"))?;
                books.plans.insert(reference.clone(), plan);
            }
            books.by_day.push((sheet.day, reference.clone()));
        }
        Ok(books)
    }

    /// The rules in force on each day that has a sheet.
    pub fn rules(&self) -> HashMap<Date, RuleSet<'_>> {
        let days = self.by_day.iter();
        days.filter_map(|(day, reference)| {
            let plan = self.plans.get(reference)?;
            Some((*day, RuleSet::new(plan, &self.overrides, *day)))
        })
        .collect()
    }

    /// What each line of the days was charged.
    pub fn shares(&self, days: Days) -> Vec<Share> {
        let rules = self.rules();
        let mut found = shares(&self.sheets, &self.periods, &self.calendar, &|day| {
            rules.get(&day)
        });
        found.retain(|share| days.from <= share.day && share.day <= days.to);
        found
    }
}
