use std::fmt;
use std::sync::Arc;

use mintmark_service::Context;
use mintmark_service::tls::Tls;

use crate::replicas::names::Names;

/// Where another service is, and with what this one shows who it is: a URL alone is spoken to in the clear.
///
/// A host that is a name stands for every address that it resolves to, and calls go to all of them; so do several URLs,
/// separated by commas.
///
/// ```
/// # use mintmark_rpc::Target;
/// let near = Target::from("http://127.0.0.1:9081");
/// let replicas = Target::from("http://10.0.0.1:9081,http://10.0.0.2:9081");
/// let cluster = Target::from("http://resolver-directory:9081");
/// ```
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub(crate) url: &'a str,
    pub(crate) tls: Option<&'a Tls>,
    pub(crate) names: Option<&'a Arc<dyn Names>>,
}

impl<'a> Target<'a> {
    /// A service at `url` (`https://host:port`, or `http://host:port` in the clear), reached with the certificate of the
    /// process.
    pub fn new(url: &'a str, context: &'a Context) -> Self {
        Self { tls: context.tls.as_ref(), ..Self::from(url) }
    }

    /// What the names in the URL stand for is asked of `names`, and not of the system.
    #[must_use]
    pub fn looked_up_in(self, names: &'a Arc<dyn Names>) -> Self {
        Self { names: Some(names), ..self }
    }
}

impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("url", &self.url).field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl<'a> From<&'a str> for Target<'a> {
    fn from(url: &'a str) -> Self {
        Self { url, tls: None, names: None }
    }
}

impl<'a> From<&'a String> for Target<'a> {
    fn from(url: &'a String) -> Self {
        Self::from(url.as_str())
    }
}
