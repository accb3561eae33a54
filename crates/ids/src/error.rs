/// Why a text is not the id that was asked for. It names the right form and never contains the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text does not begin with the prefix of this kind of id.
    #[error("a {noun} id starts with `{prefix}_`, as in {prefix}_01h45ytscbebyvny4gc8cr8ma2")]
    Prefix {
        /// The kind of id that was expected, for people: `brand`.
        noun: &'static str,
        /// The prefix that was expected, without the underscore: `brd`.
        prefix: &'static str,
    },
    /// The prefix is right, what follows is not 26 characters of lower-case Crockford base32 below 2^128.
    #[error(
        "a {noun} id is `{prefix}_` and 26 characters of 0-9 and a-z without i, l, o and u, the first at most 7, \
         as in {prefix}_01h45ytscbebyvny4gc8cr8ma2"
    )]
    Suffix {
        /// The kind of id that was expected, for people: `brand`.
        noun: &'static str,
        /// The prefix that was expected, without the underscore: `brd`.
        prefix: &'static str,
    },
    /// Not a tenant's slug.
    #[error("a tenant id is 3 to 63 characters of a-z, 0-9 and hyphen, as in acme-spirits")]
    Tenant,
    /// Not the name of a service of this platform.
    #[error(
        "a service is one of control-plane, resolver, preflight-gateway, evidence-vault, ratelimit and console"
    )]
    Service,
}
