//! Which hosts the environment excepts.
#![cfg(feature = "proxy-env")]

use std::collections::BTreeMap;

use hyper_util::client::proxy::matcher::Matcher;

use crate::uri::Uri;

/// The value of `NO_PROXY`: hosts by hyper-util's matcher, which knows addresses, CIDR and suffixes.
///
/// It knows no ports, so there is one matcher for each port that an entry names; and its `*` does not
/// stand for addresses.
pub(super) struct NoProxy {
    all: bool,
    /// `None` for the entries without a port.
    matchers: Vec<(Option<u16>, Matcher)>,
}

impl NoProxy {
    pub(super) fn new(list: &str) -> Self {
        let mut entries = BTreeMap::<_, Vec<_>>::new();
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (host, port) = split_port(entry);
            entries.entry(port).or_default().push(host);
        }
        let all = entries.get(&None).is_some_and(|hosts| hosts.contains(&"*"));
        let matcher = |hosts: Vec<_>| {
            // It is asked which URLs this proxy is not for.
            Matcher::builder().all("http://proxy").no(hosts.join(",")).build()
        };
        let matchers = entries.into_iter().map(|(port, hosts)| (port, matcher(hosts))).collect();
        Self { all, matchers }
    }

    pub(super) fn excepts(&self, uri: &Uri) -> bool {
        let Ok(http) = format!("http://{}/", uri.host()).parse() else { return self.all };
        self.all
            || self.matchers.iter().any(|(port, matcher)| {
                port.is_none_or(|port| port == uri.port()) && matcher.intercept(&http).is_none()
            })
    }
}

/// `example.com:8443`, `[2001:db8::1]:8443`. An IPv6 address without brackets has no port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().ok())
        }
        _ => (entry, None),
    };
    if host.starts_with('[') || port.is_some() {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (bare, port)
    } else {
        (entry, None)
    }
}
