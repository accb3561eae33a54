//! The peppers: keys outside Postgres under which the directory stores its hashes.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mintmark_codes::Pepper;
use zeroize::Zeroizing;

/// The peppers that this process knows, by number; never empty.
#[derive(Clone)]
pub struct Peppers(Arc<[(i32, Arc<Pepper>)]>);

impl Peppers {
    /// Reads `1:base64,2:base64`, each 32 bytes. The refusal is a sentence and shows no key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut peppers: Vec<(i32, Arc<Pepper>)> = Vec::new();
        for entry in text.split(',').map(str::trim) {
            let (id, key) =
                entry.split_once(':').ok_or("must be written as number:key pairs, like 1:BASE64,2:BASE64")?;
            let id: i32 = id.parse().ok().filter(|id| *id > 0).ok_or("must number its peppers 1, 2, 3 …")?;
            if peppers.iter().any(|(known, _)| *known == id) {
                return Err(format!("names pepper {id} twice"));
            }
            let key = STANDARD.decode(key).map(Zeroizing::new).ok();
            let key: &[u8; 32] =
                key.as_deref().and_then(|bytes| bytes.as_slice().try_into().ok()).ok_or_else(|| {
                    format!(
                        "must give pepper {id} as base64 of 32 bytes; make one with: openssl rand -base64 32"
                    )
                })?;
            peppers.push((id, Arc::new(Pepper::new(key))));
        }
        peppers.sort_by_key(|(id, _)| *id);
        Ok(Peppers(peppers.into()))
    }

    /// The pepper of this number.
    pub fn get(&self, id: i32) -> Option<&Arc<Pepper>> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, pepper)| pepper)
    }

    /// The number of the newest pepper, the one for new partitions.
    pub fn newest(&self) -> i32 {
        self.0.last().map_or(0, |(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn parse_sorts_and_takes_the_highest_as_newest() {
        let peppers = Peppers::parse(&format!("7:{A}, 2:{A}")).ok().unwrap();
        assert_eq!(peppers.newest(), 7);
        assert!(peppers.get(2).is_some());
        assert!(peppers.get(1).is_none());
    }

    #[test]
    fn parse_refuses_without_showing_the_key() {
        let twice = format!("1:{A},1:{A}");
        for bad in ["", A, "1:AAAA", "0:x", &twice, "x:AAAA", "1:SECRET"] {
            let refusal = Peppers::parse(bad).err().unwrap();
            assert!(!refusal.contains("SECRET") && !refusal.contains(A), "{refusal}");
        }
    }
}
