//! Callback paths: exact segments of `[A-Za-z0-9_/-]` only, because API Gateway hands the path over decoded
//! and the signature is over the path as it was configured. Decoded or not, such a path is the same.

use domain::ids::TenantId;

/// What a callback is about; the path says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Message,
    Call,
    Recording,
    UsageTrigger,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [
        Self::Message,
        Self::Call,
        Self::Recording,
        Self::UsageTrigger,
    ];

    /// The path's last segment.
    pub(crate) fn segment(self) -> &'static str {
        match self {
            Self::Message => "messages",
            Self::Call => "calls",
            Self::Recording => "recordings",
            Self::UsageTrigger => "usage-triggers",
        }
    }

    /// As it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Call => "call",
            Self::Recording => "recording",
            Self::UsageTrigger => "usage_trigger",
        }
    }
}

/// A callback address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) tenant: TenantId,
    pub(crate) kind: Kind,
}

impl Route {
    /// `/twilio/{tenant}/{kind}`, nothing before, between or after.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let (tenant, segment) = path.strip_prefix("/twilio/")?.split_once('/')?;
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.segment() == segment)?;
        let tenant = TenantId::parse(tenant).ok()?;
        Some(Self { tenant, kind })
    }

    /// The address as it was given to Twilio, with the query as it arrived.
    pub(crate) fn url(&self, base_url: &str, query: &str) -> String {
        let (tenant, segment) = (self.tenant.as_str(), self.kind.segment());
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{base_url}/twilio/{tenant}/{segment}{mark}{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "ten_01JZ0000000000000000000000";

    #[test]
    fn four_kinds_have_a_path_and_it_is_rebuilt_as_it_was() {
        for segment in ["messages", "calls", "recordings", "usage-triggers"] {
            let path = format!("/twilio/{TENANT}/{segment}");
            let route = Route::parse(&path).unwrap();
            assert_eq!(route.url("https://h", ""), format!("https://h{path}"));
            assert_eq!(
                route.url("https://h", "a=%20"),
                format!("https://h{path}?a=%20")
            );
        }
    }

    #[test]
    fn every_other_path_is_nothing() {
        for path in [
            String::new(),
            "/".into(),
            "/twilio".into(),
            format!("/twilio/{TENANT}"),
            format!("/twilio/{TENANT}/"),
            format!("/twilio/{TENANT}/call"),
            format!("/twilio/{TENANT}/calls/"),
            format!("/twilio/{TENANT}/calls/x"),
            format!("//twilio/{TENANT}/calls"),
            format!("/prod/twilio/{TENANT}/calls"),
            format!("/twilio//{TENANT}/calls"),
            format!("/twilio/{TENANT}/../calls"),
            format!("/twilio/{TENANT}/calls%00"),
            format!("/twilio/{TENANT}/calls?x"),
            format!("/twilio/{}/calls", TENANT.to_lowercase()),
            "/twilio/ten_/calls".into(),
            "/twilio/ten_01JZ00000000000000000000é/calls".into(),
        ] {
            assert_eq!(Route::parse(&path), None, "{path}");
        }
    }
}
