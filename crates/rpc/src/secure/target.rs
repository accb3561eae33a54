use mintmark_service::Context;
use mintmark_service::tls::Tls;

/// Where another service is, and with what this one shows who it is: a URL alone is spoken to in the clear.
///
/// ```
/// # use mintmark_rpc::Target;
/// let near = Target::from("http://127.0.0.1:9081");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub(crate) url: &'a str,
    pub(crate) tls: Option<&'a Tls>,
}

impl<'a> Target<'a> {
    /// A service at `url` (`https://host:port`, or `http://host:port` in the clear), reached with the certificate of the
    /// process.
    pub fn new(url: &'a str, context: &'a Context) -> Self {
        Self { url, tls: context.tls.as_ref() }
    }
}

impl<'a> From<&'a str> for Target<'a> {
    fn from(url: &'a str) -> Self {
        Self { url, tls: None }
    }
}

impl<'a> From<&'a String> for Target<'a> {
    fn from(url: &'a String) -> Self {
        Self { url, tls: None }
    }
}
