//! What the environment says about proxies.
#![cfg(feature = "proxy-env")]

use std::env;

use super::invalid::InvalidProxyVariable;
use super::no_proxy::NoProxy;
use super::proxies::Proxies;
use super::url::Proxy;

/// The two spellings of a variable. The first that is set counts, also if it is empty.
type Names = [&'static str; 2];

const ALL: Names = ["ALL_PROXY", "all_proxy"];
const HTTP: Names = ["HTTP_PROXY", "http_proxy"];
const HTTPS: Names = ["HTTPS_PROXY", "https_proxy"];
const NO: Names = ["NO_PROXY", "no_proxy"];

impl Proxies {
    /// Reads which proxies the environment names, and for which hosts none (feature `proxy-env`):
    ///
    /// - `wss:` URLs take `HTTPS_PROXY`, and `ws:` URLs `HTTP_PROXY`, as `https:` and `http:` URLs do
    ///   elsewhere. Without it both take `ALL_PROXY`. Each may be in lower case; if both are set, the
    ///   one in upper case counts. An empty one names no proxy.
    /// - `NO_PROXY` is a list, separated by commas: a name stands for itself and the names below it,
    ///   with or without a dot in front of it; an address for itself, and one with `/24` for its
    ///   network; each with a port for this port only; `*` for everything. Hosts are not resolved.
    /// - In a CGI program (`REQUEST_METHOD` is set) `HTTP_PROXY` is ignored in both spellings: it may
    ///   be the `Proxy` header of a request.
    ///
    /// The values are URLs as [`Proxy`] takes them. Names in `NO_PROXY` are compared by the matcher
    /// of hyper-util, as reqwest does.
    ///
    /// # Errors
    ///
    /// The value of one of the first three is not the URL of a proxy. Nothing is ignored silently,
    /// because the program might then connect past a proxy that is to be used.
    pub fn from_env() -> Result<Self, InvalidProxyVariable> {
        // A value that is not UTF-8 is no URL either.
        Self::from_variables(|name| env::var_os(name).map(|it| it.to_string_lossy().into_owned()))
    }

    /// Reads variables as [`from_env`](Self::from_env) does, from another place than the
    /// environment.
    ///
    /// ```
    /// use sansock::dial::Proxies;
    /// let proxies = Proxies::from_variables(|name| match name {
    ///     "HTTPS_PROXY" => Some("http://proxy.example:3128".into()),
    ///     "NO_PROXY" => Some("example.com, 192.0.2.0/24, example.org:8443".into()),
    ///     _ => None,
    /// })?;
    /// let is_proxied = |url: &str| proxies.choose(&url.parse().unwrap()).is_some();
    /// assert!(is_proxied("wss://example.org/"));
    /// assert!(!is_proxied("wss://example.org:8443/"));
    /// assert!(!is_proxied("wss://chat.example.com/"));
    /// assert!(!is_proxied("wss://192.0.2.7/"));
    /// assert!(!is_proxied("ws://example.org/"));
    /// # Ok::<(), sansock::dial::InvalidProxyVariable>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env) has.
    pub fn from_variables(
        read: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidProxyVariable> {
        let proxy = |names: Names| {
            let Some((name, value)) = first(names, &read) else { return Ok(None) };
            let proxy = Some(value).filter(|value| !value.is_empty()).map(|it| it.parse::<Proxy>());
            proxy.transpose().map_err(|error| InvalidProxyVariable { name, error })
        };
        let all = proxy(ALL)?;
        // "HTTP_PROXY" is where a CGI server puts a header named "Proxy" (CVE-2016-5385).
        let http = if read("REQUEST_METHOD").is_some() { None } else { proxy(HTTP)? };
        let https = proxy(HTTPS)?;
        let no = NoProxy::new(&first(NO, &read).unwrap_or_default().1);
        let proxies = Self::none().ws(http.or_else(|| all.clone())).wss(https.or(all));
        Ok(proxies.except(move |uri| no.excepts(uri)))
    }
}

fn first(names: Names, read: impl Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| Some((name, read(name)?)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::dial::InvalidProxy;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, InvalidProxyVariable> {
        Proxies::from_variables(|name| {
            let value = variables.iter().find(|(it, _)| *it == name)?.1;
            Some(value.to_owned())
        })
    }

    /// The proxies' hosts for a `ws:` and a `wss:` URL.
    fn chosen(variables: &[(&str, &str)]) -> [Option<String>; 2] {
        let proxies = proxies(variables).unwrap();
        ["ws://example.com/", "wss://example.com/"].map(|url| {
            let proxy = proxies.choose(&url.parse().unwrap());
            proxy.map(|proxy| proxy.host().to_owned())
        })
    }

    #[test]
    fn each_scheme_has_its_variable() {
        for (variables, ws, wss) in [
            (&[][..], "", ""),
            (&[("HTTP_PROXY", "a")], "a", ""),
            (&[("HTTPS_PROXY", "a")], "", "a"),
            (&[("ALL_PROXY", "a")], "a", "a"),
            (&[("HTTP_PROXY", "a"), ("ALL_PROXY", "b")], "a", "b"),
            (&[("HTTPS_PROXY", "a"), ("ALL_PROXY", "b")], "b", "a"),
            (&[("http_proxy", "a"), ("https_proxy", "b")], "a", "b"),
            (&[("all_proxy", "a")], "a", "a"),
            (&[("HTTP_PROXY", "a"), ("http_proxy", "b")], "a", ""),
            (&[("HTTP_PROXY", ""), ("http_proxy", "b")], "", ""),
            (&[("HTTPS_PROXY", "http://u:p@a:1")], "", "a"),
            (&[("ALL_PROXY", "socks5h://a")], "a", "a"),
            // In a CGI program.
            (&[("HTTP_PROXY", "a"), ("REQUEST_METHOD", "GET")], "", ""),
            (&[("http_proxy", "not a URL"), ("REQUEST_METHOD", "")], "", ""),
            (&[("HTTPS_PROXY", "a"), ("REQUEST_METHOD", "GET")], "", "a"),
        ] {
            let expected = [ws, wss].map(|it| (!it.is_empty()).then(|| it.to_owned()));
            assert_eq!(chosen(variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn some_hosts_are_excepted() {
        for (list, excepted, proxied) in [
            ("", "", "example.com"),
            (",, ,", "", "example.com"),
            ("example.com", "example.com a.example.com EXAMPLE.com", "notexample.com com"),
            (".example.com", "example.com a.b.example.com", "notexample.com"),
            (" example.org , example.com ", "example.com example.org", "example.net"),
            ("localhost", "localhost", "127.0.0.1 [::1]"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2 localhost"),
            ("10.0.0.0/8,192.168.1.0/24", "10.1.2.3 192.168.1.9", "11.0.0.1 192.168.2.1"),
            ("2001:db8::/32", "[2001:db8::1]", "[2001:db9::1]"),
            ("[::1]", "[::1]", "[::2]"),
            ("::1", "[::1] [::1]:8443", "[::2]"),
            ("*", "example.com 127.0.0.1 [::1]", ""),
            ("example.com:8443", "example.com:8443 a.example.com:8443", "example.com"),
            ("example.com:443", "example.com", "example.com:8443"),
            ("[::1]:8443", "[::1]:8443", "[::1]"),
            ("10.0.0.1:8443,10.0.0.2", "10.0.0.1:8443 10.0.0.2", "10.0.0.1"),
            ("10.0.0.0/8:8443", "10.9.9.9:8443", "10.9.9.9"),
            ("example.com:port", "", "example.com"),
            ("*.example.com", "", "a.example.com"),
        ] {
            let proxies = proxies(&[("HTTPS_PROXY", "p"), ("NO_PROXY", list)]).unwrap();
            for (hosts, is_proxied) in [(excepted, false), (proxied, true)] {
                for host in hosts.split_whitespace() {
                    let uri = format!("wss://{host}/").parse().unwrap();
                    assert_eq!(proxies.choose(&uri).is_some(), is_proxied, "{list:?}: {host}");
                }
            }
        }
    }

    /// A proxy that is to be used must not be passed by because of a slip.
    #[test]
    fn a_value_that_is_no_proxy_is_an_error_that_names_its_variable() {
        for name in ["ALL_PROXY", "http_proxy", "HTTPS_PROXY"] {
            let found = proxies(&[(name, "http://user:secret@a b")]).unwrap_err();
            assert_eq!(found, InvalidProxyVariable { name, error: InvalidProxy::Host });
            let shown = found.to_string();
            assert!(shown.contains(name) && !shown.contains("secret"), "{shown}");
        }
    }

    /// In a process of its own: no test may change the environment of others.
    #[test]
    fn the_environment_is_read() {
        const NAME: &str = "dial::proxy::environment::tests::the_environment_is_read";
        const IN_CHILD: &str = "SANSOCK_TEST_CHILD";
        if env::var_os(IN_CHILD).is_some() {
            let proxies = Proxies::from_env().unwrap();
            let hosts = ["wss://example.com/", "wss://example.org/"].map(|url| {
                let proxy = proxies.choose(&url.parse().unwrap());
                proxy.map(|proxy| proxy.host().to_owned())
            });
            assert_eq!(hosts, [Some("proxy.test".into()), None]);
            return;
        }
        let mut child = Command::new(env::current_exe().unwrap());
        for name in [ALL, HTTP, HTTPS, NO].into_iter().flatten() {
            child.env_remove(name);
        }
        child
            .env(IN_CHILD, "")
            .env("https_proxy", "http://proxy.test")
            .env("NO_PROXY", "example.org");
        let output = child.args([NAME, "--exact"]).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
    }
}
