use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::base32;
use crate::error::IdError;

/// Characters of every prefix, so that an id always fits one stack buffer.
const PREFIX_LEN: usize = 3;
const ID_LEN: usize = PREFIX_LEN + 1 + base32::LEN;

/// Defines one kind of id: a newtype of [`Uuid`] whose text form carries `$prefix`.
macro_rules! typed_id {
    ($name:ident, $prefix:literal, $noun:literal, $about:literal) => {
        #[doc = concat!($about, " Written `", $prefix, "_` and 26 characters.")]
        ///
        /// Ids made by [`new`](Self::new) are UUIDv7: they sort by the time they were made, to the millisecond.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        const _: () = assert!($prefix.len() == PREFIX_LEN);

        impl $name {
            /// What the text form starts with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// What such an id names, for messages to people.
            pub const NOUN: &'static str = $noun;

            /// A new id, unique and later than all that this process made before.
            #[expect(clippy::new_without_default, reason = "a default id would be a different one each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id that a database column or a fixed test vector holds; any UUID will do.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID, for a database column.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(text(&encode($prefix, self.0)).ok_or(fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                decode($noun, $prefix, text).map(Self)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = IdError;

            fn try_from(text: &str) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let encoded = encode($prefix, self.0);
                serializer.serialize_str(text(&encoded).unwrap_or_default())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl de::Visitor<'_> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a ", $noun, " id, `", $prefix, "_` and 26 characters"))
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse::<$name>().map_err(crate::refused)
                    }
                }

                deserializer.deserialize_str(Visitor)
            }
        }
    };
}
typed_id!(BrandId, "brd", "brand", "A brand of a tenant.");
typed_id!(ProductId, "prd", "product", "A product of a brand: one GTIN.");
typed_id!(BatchId, "bat", "batch", "A batch of units minted together.");
typed_id!(ExportId, "exp", "export", "An export of a batch's codes.");
typed_id!(UserId, "usr", "user", "A person of a tenant.");
typed_id!(MembershipId, "mem", "membership", "A role that a user holds, in a brand or over evidence.");
typed_id!(JobId, "job", "job", "A job in a service's queue.");
typed_id!(ApiKeyId, "key", "API key", "An API key of a tenant; it names the key and is no secret.");
typed_id!(DisputeId, "dsp", "dispute", "A dispute about printed units.");
typed_id!(EvidenceId, "evd", "evidence record", "A record in the evidence vault.");
typed_id!(
    KekId,
    "kek",
    "key-encryption key",
    "A key-encryption key of the evidence vault; it names the key and is no secret."
);
typed_id!(EventId, "evt", "event", "An entry in the history of something.");

fn encode(prefix: &'static str, uuid: Uuid) -> [u8; ID_LEN] {
    let mut out = [b'_'; ID_LEN];
    out[..PREFIX_LEN].copy_from_slice(prefix.as_bytes());
    out[PREFIX_LEN + 1..].copy_from_slice(&base32::encode(uuid.as_u128()));
    out
}

/// Always `Some`: prefixes and the alphabet are ASCII.
fn text(encoded: &[u8; ID_LEN]) -> Option<&str> {
    std::str::from_utf8(encoded).ok()
}

fn decode(noun: &'static str, prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let suffix = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or(IdError::Prefix { noun, prefix })?;
    base32::decode(suffix.as_bytes()).map(Uuid::from_u128).ok_or(IdError::Suffix { noun, prefix })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = "bat_01h455vb4pex5vsknk084sn02q";

    #[test]
    fn display_of_a_known_uuid_is_its_type_id() {
        let id = BatchId::from_uuid(Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057));
        assert_eq!(id.to_string(), SAMPLE);
        assert_eq!(format!("{id:?}"), SAMPLE);
        assert_eq!(SAMPLE.parse(), Ok(id));
    }

    #[test]
    fn parse_of_another_kind_names_the_right_prefix() {
        let error = SAMPLE.parse::<BrandId>().unwrap_err();
        assert_eq!(error, IdError::Prefix { noun: "brand", prefix: "brd" });
        assert!(error.to_string().contains("a brand id starts with `brd_`"));
    }

    #[test]
    fn parse_refuses_every_other_spelling() {
        for text in [
            "",
            "bat",
            "bat_",
            "01h455vb4pex5vsknk084sn02q",
            "BAT_01h455vb4pex5vsknk084sn02q",
            "bat_01H455VB4PEX5VSKNK084SN02Q",
            "bat-01h455vb4pex5vsknk084sn02q",
            " bat_01h455vb4pex5vsknk084sn02q",
            "bat_01h455vb4pex5vsknk084sn02q ",
            "bat_01h455vb4pex5vsknk084sn02",
            "bat_81h455vb4pex5vsknk084sn02q",
            "bat_01890a5d-ac96-774b-bcce-b302099a8057",
            "bat_é1h455vb4pex5vsknk084sn02",
        ] {
            assert!(text.parse::<BatchId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn errors_never_repeat_the_input() {
        let error = "brd_hunter2-is-my-password".parse::<BrandId>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        let error = serde_json::from_str::<BrandId>("\"hunter2\"").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn prefixes_are_distinct() {
        let mut prefixes = [
            BrandId::PREFIX,
            ProductId::PREFIX,
            BatchId::PREFIX,
            ExportId::PREFIX,
            UserId::PREFIX,
            MembershipId::PREFIX,
            JobId::PREFIX,
            EventId::PREFIX,
        ];
        prefixes.sort_unstable();
        assert!(prefixes.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn new_ids_sort_by_the_order_of_their_making() {
        let ids: Vec<JobId> = (0..2_000).map(|_| JobId::new()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.windows(2).all(|pair| pair[0].to_string() < pair[1].to_string()));
        assert_eq!(ids[0].as_uuid().get_version_num(), 7);
    }

    #[test]
    fn serde_uses_the_text_form_also_as_a_map_key() {
        let id: BatchId = SAMPLE.parse().unwrap();
        assert_eq!(serde_json::to_value(id).unwrap(), SAMPLE);
        let map = std::collections::BTreeMap::from([(id, 1)]);
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(json, format!("{{\"{SAMPLE}\":1}}"));
        assert_eq!(serde_json::from_str::<std::collections::BTreeMap<BatchId, i32>>(&json).unwrap(), map);
        assert!(serde_json::from_str::<BatchId>("7").is_err());
    }

    proptest! {
        #[test]
        fn parse_of_display_is_the_id(bits: u128) {
            let id = UserId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
            prop_assert_eq!(serde_json::from_str::<UserId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        }

        #[test]
        fn parse_never_panics_and_accepts_one_spelling(text in "(usr_)?\\PC{0,40}") {
            if let Ok(id) = text.parse::<UserId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
