//! What works: `ws:` and `wss:` through each proxy.

use sansock::dial::{Proxies, ProxyScheme};

use crate::driver::{Dial, Driver};
use crate::fake::{Fake, PASSWORD, USER};
use crate::origin::{ORIGIN, Origin, closed, silent};

pub(crate) const ALL: [ProxyScheme; 5] = [
    ProxyScheme::Http,
    ProxyScheme::Https,
    ProxyScheme::Socks5,
    ProxyScheme::Socks5h,
    ProxyScheme::Socks4a,
];

/// Both kinds of server behind each kind of proxy. The name of the server is looked up where the
/// proxy's URL says.
fn messages_pass<D: Driver>() {
    for is_secure in [false, true] {
        let origin = Origin::start(is_secure);
        for scheme in ALL {
            let fake = Fake::start(scheme, false);
            let mut dial = Dial::new(&origin, &fake, fake.proxy());
            dial.resolves_origin = scheme == ProxyScheme::Socks5;
            D::talk(&dial).unwrap_or_else(|error| panic!("{scheme}: {error}"));
            assert!(origin.head().contains(ORIGIN));
            let said = String::from_utf8_lossy(&fake.said()).into_owned();
            assert_eq!(said.contains(ORIGIN), scheme != ProxyScheme::Socks5, "{said}");
        }
    }
}

fn a_user_and_a_password_open_the_way<D: Driver>() {
    let origin = Origin::start(true);
    for scheme in [ProxyScheme::Http, ProxyScheme::Https, ProxyScheme::Socks5h] {
        let fake = Fake::start(scheme, true);
        let dial = Dial::new(&origin, &fake, fake.proxy_with(USER, PASSWORD));
        D::talk(&dial).unwrap_or_else(|error| panic!("{scheme}: {error}"));
    }
}

/// Without a rule that says so there is no proxy.
fn what_is_excepted_goes_directly<D: Driver>() {
    let (origin, fake) = (Origin::start(false), Fake::start(ProxyScheme::Http, false));
    for proxies in [
        Proxies::none(),
        Proxies::none().wss(fake.proxy()),
        Proxies::from(fake.proxy()).except(|uri| uri.host() == ORIGIN),
        Proxies::from_variables(|name| match name {
            "ALL_PROXY" => Some("http://nobody.test:1".into()),
            "no_proxy" => Some("example.com,.test".into()),
            _ => None,
        })
        .unwrap(),
    ] {
        let mut dial = Dial::new(&origin, &fake, proxies);
        dial.resolves_origin = true;
        D::talk(&dial).unwrap();
    }
}

/// The proxy's addresses are tried as a server's are: one is closed, one silent, one answers.
fn the_proxy_is_found_by_happy_eyeballs<D: Driver>() {
    let (origin, fake) = (Origin::start(true), Fake::start(ProxyScheme::Http, false));
    let (silent, _listener) = silent();
    let mut dial = Dial::new(&origin, &fake, fake.proxy());
    dial.proxy_addresses = vec![closed(), silent, fake.address];
    D::talk(&dial).unwrap();
}

on_all_drivers!(
    messages_pass,
    a_user_and_a_password_open_the_way,
    what_is_excepted_goes_directly,
    the_proxy_is_found_by_happy_eyeballs,
);
