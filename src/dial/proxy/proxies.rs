//! Which proxy a URL needs.

use std::fmt;
use std::sync::Arc;

use super::url::Proxy;
use crate::uri::{Scheme, Uri};

/// Which proxy a client connects through. By default none.
///
/// Clients ask it for each URL, so one for `ws:` may differ from one for `wss:`, and some hosts may
/// be excepted. A [`Proxy`] alone stands for all URLs. With the feature `proxy-env`
/// `Proxies::from_env` takes what the environment says.
///
/// ```
/// use sansock::dial::{Proxies, Proxy};
/// let proxy: Proxy = "socks5h://127.0.0.1:9050".parse()?;
/// let proxies = Proxies::from(proxy).except(|uri| uri.host().ends_with(".internal"));
/// assert!(proxies.choose(&"wss://example.com/".parse()?).is_some());
/// assert!(proxies.choose(&"wss://chat.internal/".parse()?).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Proxies {
    ws: Option<Proxy>,
    wss: Option<Proxy>,
    except: Option<Arc<Except>>,
}

type Except = dyn Fn(&Uri) -> bool + Send + Sync;

impl Proxies {
    /// Connects without a proxy.
    #[must_use]
    pub const fn none() -> Self {
        Self { ws: None, wss: None, except: None }
    }

    /// Sets the proxy for `ws:` URLs; `None` for no proxy.
    #[must_use]
    pub fn ws(mut self, proxy: impl Into<Option<Proxy>>) -> Self {
        self.ws = proxy.into();
        self
    }

    /// Sets the proxy for `wss:` URLs; `None` for no proxy.
    #[must_use]
    pub fn wss(mut self, proxy: impl Into<Option<Proxy>>) -> Self {
        self.wss = proxy.into();
        self
    }

    /// Connects without a proxy to URLs for which `is_excepted` returns `true`, instead of those
    /// that were excepted before.
    #[must_use]
    pub fn except(mut self, is_excepted: impl Fn(&Uri) -> bool + Send + Sync + 'static) -> Self {
        self.except = Some(Arc::new(is_excepted));
        self
    }

    /// Returns the proxy for this URL; `None` if there is none, or if the URL is excepted.
    #[must_use]
    pub fn choose(&self, uri: &Uri) -> Option<&Proxy> {
        let proxy = match uri.scheme() {
            Scheme::Ws => self.ws.as_ref(),
            Scheme::Wss => self.wss.as_ref(),
        };
        proxy.filter(|_| self.except.as_ref().is_none_or(|is_excepted| !is_excepted(uri)))
    }
}

/// The proxy for all URLs.
impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        Self::none().ws(proxy.clone()).wss(proxy)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("ws", &self.ws)
            .field("wss", &self.wss)
            .field("except", &self.except.is_some())
            .finish()
    }
}
