//! Messaging services: named settings with a pool of an account's own numbers.
//!
//! A number is in one service at most, and leaves it when the account no longer holds the number.

use jiff::Timestamp;

use super::World;
use crate::sid::Sid;

/// What can be set on a service.
#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the switches of Twilio's resource, each by its name"
)]
pub(crate) struct ServiceSettings {
    pub(crate) friendly_name: String,
    pub(crate) inbound_request_url: Option<String>,
    pub(crate) inbound_method: String,
    pub(crate) fallback_url: Option<String>,
    pub(crate) fallback_method: String,
    pub(crate) status_callback: Option<String>,
    pub(crate) sticky_sender: bool,
    pub(crate) mms_converter: bool,
    pub(crate) smart_encoding: bool,
    pub(crate) scan_message_content: String,
    pub(crate) fallback_to_long_code: bool,
    pub(crate) area_code_geomatch: bool,
    pub(crate) validity_period_s: i64,
    pub(crate) synchronous_validation: bool,
    pub(crate) usecase: String,
    pub(crate) use_inbound_webhook_on_number: bool,
}

/// A number in a service's pool.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) number: usize,
    pub(crate) added_at: Timestamp,
}

/// A messaging service.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) settings: ServiceSettings,
    pub(crate) members: Vec<Member>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) deleted: bool,
    /// Messages sent so far; whose turn it is in the pool.
    sent: usize,
}

/// Why a number does not join a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinRefused {
    /// It is in this service.
    AlreadyIn,
    /// It is in another one.
    Elsewhere,
}

impl World {
    /// Makes a messaging service.
    pub(crate) fn create_service(
        &mut self,
        account: usize,
        settings: ServiceSettings,
        at: Timestamp,
    ) -> usize {
        let sid = Sid::draw("MG", &mut self.draw(account));
        let index = self.services.len();
        self.services.push(Service {
            sid,
            account,
            settings,
            members: Vec::new(),
            created_at: at,
            updated_at: at,
            deleted: false,
            sent: 0,
        });
        self.enter(sid, index);
        self.accounts[account].services.push(index);
        index
    }

    /// An account's service.
    pub(crate) fn service(&self, account: usize, sid: &str) -> Option<usize> {
        self.find("MG", sid).filter(|service| {
            let service = &self.services[*service];
            service.account == account && !service.deleted
        })
    }

    /// Deletes a service; its numbers stay the account's.
    pub(crate) fn delete_service(&mut self, index: usize) {
        let service = &mut self.services[index];
        service.deleted = true;
        service.members.clear();
        let owner = service.account;
        self.accounts[owner].services.retain(|held| *held != index);
    }

    /// The numbers of a service that its account still holds.
    pub(crate) fn members(&self, service: usize) -> impl Iterator<Item = &Member> {
        let service = &self.services[service];
        service.members.iter().filter(|member| {
            let number = &self.numbers[member.number];
            number.account == service.account && !number.released
        })
    }

    /// Adds one of the account's numbers to a service.
    pub(crate) fn join_service(
        &mut self,
        service: usize,
        number: usize,
        at: Timestamp,
    ) -> Result<(), JoinRefused> {
        let owner = &self.accounts[self.services[service].account];
        let holder = owner.services.iter().find(|held| {
            let mut members = self.members(**held);
            members.any(|member| member.number == number)
        });
        match holder {
            Some(held) if *held == service => return Err(JoinRefused::AlreadyIn),
            Some(_) => return Err(JoinRefused::Elsewhere),
            None => {}
        }
        let members = &mut self.services[service].members;
        // A number that went away and came back starts anew.
        members.retain(|member| member.number != number);
        members.push(Member {
            number,
            added_at: at,
        });
        Ok(())
    }

    /// Takes a number out of a service.
    pub(crate) fn leave_service(&mut self, service: usize, number: usize) {
        let members = &mut self.services[service].members;
        members.retain(|member| member.number != number);
    }

    /// Takes a number out of every service: it is not its owner's any more.
    pub(super) fn leave_services(&mut self, number: usize) {
        for service in 0..self.services.len() {
            self.leave_service(service, number);
        }
    }

    /// The number that a service's next message goes out from: its numbers take turns.
    pub(crate) fn service_sender(&mut self, account: usize, service_sid: &str) -> Option<String> {
        let service = self.service(account, service_sid)?;
        let pool: Vec<usize> = self.members(service).map(|member| member.number).collect();
        let turn = self.services[service].sent.checked_rem(pool.len())?;
        self.services[service].sent += 1;
        Some(self.numbers[pool[turn]].e164.clone())
    }

    /// Where a service wants the status of its messages; a message's own StatusCallback goes first.
    pub(crate) fn service_status_callback(
        &self,
        account: usize,
        service_sid: &str,
    ) -> Option<&str> {
        let service = self.service(account, service_sid)?;
        self.services[service].settings.status_callback.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SimConfig;
    use crate::world::MAIN;

    fn settings() -> ServiceSettings {
        ServiceSettings {
            friendly_name: "Reminders".to_owned(),
            inbound_request_url: None,
            inbound_method: "POST".to_owned(),
            fallback_url: None,
            fallback_method: "POST".to_owned(),
            status_callback: Some("https://example.test/status".to_owned()),
            sticky_sender: false,
            mms_converter: false,
            smart_encoding: false,
            scan_message_content: "inherit".to_owned(),
            fallback_to_long_code: false,
            area_code_geomatch: false,
            validity_period_s: 600,
            synchronous_validation: false,
            usecase: "undeclared".to_owned(),
            use_inbound_webhook_on_number: false,
        }
    }

    #[test]
    fn the_numbers_of_a_service_take_turns_while_the_account_holds_them() {
        let mut world = World::new(&SimConfig::default());
        let at = Timestamp::UNIX_EPOCH;
        let service = world.create_service(MAIN, settings(), at);
        let sid = world.services[service].sid.to_string();
        assert_eq!(world.service_sender(MAIN, &sid), None, "its pool is empty");
        let mut held = Vec::new();
        for number in ["+14155550101", "+14155550102"] {
            let number = world.buy_number(at, MAIN, Some(number), "US").unwrap();
            world.join_service(service, number, at).unwrap();
            assert_eq!(
                world.join_service(service, number, at),
                Err(JoinRefused::AlreadyIn)
            );
            held.push(number);
        }
        let mut next = || world.service_sender(MAIN, &sid).unwrap();
        assert_eq!(
            [next(), next(), next()],
            ["+14155550101", "+14155550102", "+14155550101"]
        );
        world.release_number(held[0]);
        assert_eq!(world.service_sender(MAIN, &sid).unwrap(), "+14155550102");
        assert_eq!(
            world.service_status_callback(MAIN, &sid),
            Some("https://example.test/status")
        );
        world.delete_service(service);
        assert_eq!(world.service_sender(MAIN, &sid), None);
    }
}
