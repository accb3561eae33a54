/// Declares the closed set of kinds from one table, so that no row can lack a column and `ALL` can lack no row.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $http:literal $grpc:literal $title:literal;)+) => {
        /// The situations that a client can meet: a closed set, one row of the table each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)+
        }

        impl Kind {
            /// Every kind, in the order of the table.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)+];

            /// A stable snake_case name, for metric labels and for carrying the kind between services.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)+ }
            }

            /// The HTTP status (RFC 9110; 429 is RFC 6585).
            pub const fn http_status(self) -> u16 {
                match self { $(Kind::$kind => $http,)+ }
            }

            /// The gRPC status number (`google.rpc.Code`).
            pub const fn grpc_code(self) -> i32 {
                match self { $(Kind::$kind => $grpc,)+ }
            }

            /// The status phrase: what RFC 9457 wants as `title` beside `about:blank`.
            pub const fn title(self) -> &'static str {
                match self { $(Kind::$kind => $title,)+ }
            }
        }
    };
}

kinds! {
    /// The request does not say what it should: a missing, malformed or out-of-range value.
    InvalidInput      "invalid_input"      400  3 "Bad Request";
    /// No credential, or none that is valid here.
    Unauthenticated   "unauthenticated"    401 16 "Unauthorized";
    /// A valid credential without the right.
    Forbidden         "forbidden"          403  7 "Forbidden";
    /// It does not exist, or it belongs to another tenant.
    NotFound          "not_found"          404  5 "Not Found";
    /// The resource exists and does not know this method.
    MethodNotAllowed  "method_not_allowed" 405 12 "Method Not Allowed";
    /// None of the representations that we have is acceptable.
    NotAcceptable     "not_acceptable"     406  3 "Not Acceptable";
    /// The client was too slow, or its deadline has passed.
    Timeout           "timeout"            408  4 "Request Timeout";
    /// The request is well-formed and collides with the present state.
    Conflict          "conflict"           409 10 "Conflict";
    /// It existed and was removed for good.
    Gone              "gone"               410  5 "Gone";
    /// The body or message is larger than the limit (tonic too answers 11 here).
    TooLarge          "too_large"          413 11 "Content Too Large";
    /// The body's content type is not one that we read.
    UnsupportedMedia  "unsupported_media"  415  3 "Unsupported Media Type";
    /// The part that was asked for lies outside of what there is.
    OutOfRange        "out_of_range"       416 11 "Range Not Satisfiable";
    /// Well-formed, and it cannot be done as it stands.
    Unprocessable     "unprocessable"      422  9 "Unprocessable Content";
    /// Too many requests: wait for the time that `Retry-After` names.
    RateLimited       "rate_limited"       429  8 "Too Many Requests";
    /// Our mistake; the client can do nothing about it.
    Internal          "internal"           500 13 "Internal Server Error";
    /// Something that we need is away or busy: the same request may work later.
    Unavailable       "unavailable"        503 14 "Service Unavailable";
}

impl Kind {
    /// The kind for a gRPC status number that came from a peer which did not say its own kind.
    ///
    /// Where several kinds share a number the most general wins; what we do not know is [`Kind::Internal`].
    pub const fn from_grpc(code: i32) -> Kind {
        match code {
            3 => Kind::InvalidInput,
            4 => Kind::Timeout,
            5 => Kind::NotFound,
            // ALREADY_EXISTS and ABORTED: both collide with the present state.
            6 | 10 => Kind::Conflict,
            7 => Kind::Forbidden,
            8 => Kind::RateLimited,
            9 => Kind::Unprocessable,
            11 => Kind::TooLarge,
            12 => Kind::MethodNotAllowed,
            // A cancelled call did not fail by itself; trying again is sound.
            1 | 14 => Kind::Unavailable,
            16 => Kind::Unauthenticated,
            _ => Kind::Internal,
        }
    }

    /// The kind with this [`Kind::name`], as a peer of ours carries it.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}
