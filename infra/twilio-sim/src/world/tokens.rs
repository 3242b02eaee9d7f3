//! Auth tokens and their rotation: a secondary one is made, then promoted or deleted.
//!
//! Both authenticate. Only the primary one signs callbacks, and after a promotion the old primary goes on
//! signing for a while although it authenticates nobody any more.

use jiff::Timestamp;

use super::{World, after};

/// A token that authenticates besides the primary one.
#[derive(Clone)]
pub(crate) struct SecondaryToken {
    pub(crate) token: String,
    pub(crate) created_at: Timestamp,
}

/// A primary token of before, which still signs.
#[derive(Clone)]
pub(crate) struct RetiredToken {
    token: String,
    signs_until: Timestamp,
}

impl World {
    /// Whether this is one of the account's tokens.
    pub(crate) fn authenticates(&self, account: usize, token: &str) -> bool {
        let owner = &self.accounts[account];
        let secondary = owner.secondary.as_ref().map(|held| held.token.as_str());
        owner.token == token || secondary == Some(token)
    }

    /// The token that signs an account's callbacks.
    pub(crate) fn signing_token(&self, account: usize, at: Timestamp) -> &str {
        let owner = &self.accounts[account];
        match &owner.retired {
            Some(retired) if at < retired.signs_until => &retired.token,
            _ => &owner.token,
        }
    }

    /// Makes a secondary token; `None` when there is one already.
    pub(crate) fn create_secondary_token(
        &mut self,
        account: usize,
        at: Timestamp,
    ) -> Option<&SecondaryToken> {
        if self.accounts[account].secondary.is_some() {
            return None;
        }
        let made = SecondaryToken {
            token: self.draw(account).hex(32),
            created_at: at,
        };
        Some(self.accounts[account].secondary.insert(made))
    }

    /// Takes the secondary token away; `false` when there is none.
    pub(crate) fn delete_secondary_token(&mut self, account: usize) -> bool {
        self.accounts[account].secondary.take().is_some()
    }

    /// Makes the secondary token the primary one; when it was made, or `None` when there is none.
    pub(crate) fn promote_token(&mut self, account: usize, at: Timestamp) -> Option<Timestamp> {
        let promoted = self.accounts[account].secondary.take()?;
        let span = self.pace.token_switch_ms;
        let switch = self.account_rng(b"promotion", account).within(span);
        let owner = &mut self.accounts[account];
        let old = std::mem::replace(&mut owner.token, promoted.token);
        owner.retired = Some(RetiredToken {
            token: old,
            signs_until: after(at, switch),
        });
        owner.token_set_at = at;
        owner.updated_at = at;
        Some(promoted.created_at)
    }
}
