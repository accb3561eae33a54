//! The keys that wrap batches' secrets: one that wraps, and those that open what was wrapped under them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mintmark_minting::CodeMasterKey;
use mintmark_service::config::Reader;
use zeroize::Zeroizing;

const KEY: &str = "CODE_MASTER_KEY";
const KNOWN: &str = "CODE_MASTER_KEYS_KNOWN";

/// Reads all three variables.
pub(super) fn read(reader: &mut Reader) -> Option<CodeMasterKey> {
    let id = reader.string("CODE_MASTER_KEY_ID", "cmk-1", "names the code master key in stored secrets");
    let secret = reader.secret(KEY, "wraps batch secrets: 32 random bytes in base64");
    let about = "further code master keys as id:BASE64,id:BASE64: they open what was wrapped under them and wrap nothing; in a \
                 rotation the next one, then the one before";
    let known = reader.optional_secret(KNOWN, about);
    let (id, secret, known) = (id?, secret?, known?);
    let Some(key) = bytes(secret.expose()) else {
        reader.problem(KEY, "is not 32 bytes in base64: make one with `openssl rand -base64 32`");
        return None;
    };
    let mut ids = vec![id.clone()];
    let mut master = CodeMasterKey::new(id, key);
    let entries = known.iter().flat_map(|known| known.expose().split(',')).map(str::trim);
    // What is wrong with an entry is said without repeating it.
    for entry in entries.filter(|entry| !entry.is_empty()) {
        let parsed = entry.split_once(':').and_then(|(id, key)| Some((id, bytes(key)?)));
        let Some((id, key)) = parsed.filter(|(id, _)| !id.is_empty()) else {
            reader.problem(
                KNOWN,
                "must be written as id:key pairs, like cmk-1:BASE64, each key 32 bytes in base64",
            );
            return None;
        };
        if ids.iter().any(|other| other == id) {
            reader.problem(KNOWN, "names a key twice, or the one that CODE_MASTER_KEY_ID names");
            return None;
        }
        ids.push(id.to_owned());
        master = master.knowing(CodeMasterKey::new(id.to_owned(), key));
    }
    Some(master)
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    let bytes = STANDARD.decode(text).map(Zeroizing::new).ok()?;
    bytes.as_slice().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn problem(known: &str) -> Option<String> {
        let mut reader = Reader::from_pairs([(KEY, A), (KNOWN, known)]);
        let read = read(&mut reader);
        reader.finish(read).err().map(|errors| errors.to_string())
    }

    #[test]
    fn read_takes_further_keys_by_their_ids() {
        assert_eq!(problem(&format!("cmk-2:{A}, cmk-0:{A}")), None);
        assert_eq!(problem(""), None);
    }

    #[test]
    fn read_refuses_a_further_key_without_repeating_it() {
        let (present, twice) = (format!("cmk-1:{A}"), format!("cmk-2:{A},cmk-2:{A}"));
        for bad in [A, "cmk-2:AAAA", "cmk-2:swordfish", &format!(":{A}"), &present, &twice] {
            let said = problem(bad).unwrap_or_else(|| panic!("{bad} was accepted"));
            assert!(said.contains(KNOWN) && !said.contains(A) && !said.contains("swordfish"), "{said}");
        }
    }
}
