/// A word is not one of a closed set; the message lists the set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {what} is one of {expected}")]
pub struct NameError {
    pub(crate) what: &'static str,
    pub(crate) expected: &'static str,
}

impl NameError {
    /// As an error of reading, whose rule edges show.
    pub(crate) fn refused<E: serde::de::Error>(self) -> E {
        mintmark_ids::refused(self)
    }
}

/// Declares an enum whose variants have one spelling each: written so, read in any case.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal {
        $($(#[$row:meta])* $variant:ident = $text:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$row])* $variant,)+ }

        impl $name {
            /// Every value, lowest first.
            pub const ALL: [$name; [$($text),+].len()] = [$($name::$variant),+];

            /// The spelling in JSON, in claims and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::NameError;

            fn from_str(text: &str) -> Result<Self, $crate::NameError> {
                $name::ALL
                    .into_iter()
                    .find(|value| value.as_str().eq_ignore_ascii_case(text))
                    .ok_or($crate::NameError { what: $what, expected: concat!($($text, " "),+).trim_ascii_end() })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err($crate::NameError::refused)
            }
        }
    };
}
pub(crate) use named;
