//! What there is to say. A field that a language lacked would not compile.

/// A verdict in words.
#[derive(Clone, Copy)]
pub struct Words {
    /// In a few words.
    pub headline: &'static str,
    /// In a sentence.
    pub lead: &'static str,
    /// What to make of it.
    pub advice: &'static str,
}

/// Every text of the page in one language. `{brand}`, `{product}` and `{when}` stand for what they say.
pub struct Texts {
    /// Genuine; its codes never activate.
    pub genuine: Words,
    /// Genuine, and this scan activated it.
    pub first: Words,
    /// Genuine, and activated before.
    pub before: Words,
    /// Genuine, and activated within the last two minutes by the button.
    pub just: Words,
    /// Genuine, and waiting for somebody to press the button.
    pub awaiting: Words,
    /// The button.
    pub confirm: &'static str,
    /// Recalled; the lead is about a time that is known.
    pub recalled: Words,
    /// The lead when the time is not known.
    pub recalled_at_some_time: &'static str,
    /// No such code.
    pub unknown: Words,
    /// Nothing can be said now.
    pub unconfirmed: Words,
    /// Not a code at all.
    pub malformed: Words,
    /// The lead when it is the GTIN of the link that is wrong.
    pub malformed_gtin: &'static str,
    /// The page behind the bare address.
    pub welcome: Words,
    /// Label of the time of activation.
    pub activated: &'static str,
    /// Label of the country of the activation.
    pub place: &'static str,
    /// Label of the code.
    pub code: &'static str,
    /// Label of the GTIN.
    pub gtin: &'static str,
    /// What the picture shows, for those who do not see it.
    pub picture: &'static str,
    /// The last line.
    pub footer: &'static str,
    /// The months, as they stand in a date.
    pub months: [&'static str; 12],
}

/// A text with what its placeholders stand for. What is put in is not read again: a brand may be called `{when}`.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = behind.split_once('}') else {
            rest = behind;
            break;
        };
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            filled.push_str(value);
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::language::Language;

    fn words(words: &Words) -> [&'static str; 3] {
        [words.headline, words.lead, words.advice]
    }

    /// Every text but the months, in one order for all languages.
    fn all(texts: &Texts) -> Vec<&'static str> {
        let verdicts = [
            &texts.genuine,
            &texts.first,
            &texts.before,
            &texts.just,
            &texts.awaiting,
            &texts.recalled,
            &texts.unknown,
            &texts.unconfirmed,
            &texts.malformed,
            &texts.welcome,
        ];
        let mut all: Vec<_> = verdicts.into_iter().flat_map(words).collect();
        all.extend([
            texts.confirm,
            texts.recalled_at_some_time,
            texts.malformed_gtin,
            texts.activated,
            texts.place,
            texts.code,
            texts.gtin,
            texts.picture,
            texts.footer,
        ]);
        all
    }

    fn placeholders(text: &str) -> Vec<&str> {
        let mut names: Vec<_> =
            text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_language_says_everything_about_the_same_things() {
        let english = all(Language::English.texts());
        for language in Language::ALL {
            let texts = all(language.texts());
            for (text, original) in texts.iter().zip(&english) {
                assert!(!text.trim().is_empty(), "{language:?} lacks: {original}");
                assert_eq!(placeholders(text), placeholders(original), "{language:?}: {text}");
                assert!(language == Language::English || text != original, "{language:?} copies: {text}");
            }
            assert!(language.texts().months.iter().all(|month| !month.is_empty()));
        }
    }

    #[test]
    fn fill_puts_values_in_once() {
        assert_eq!(fill("{brand}, {when}!", &[("brand", "{when}"), ("when", "now")]), "{when}, now!");
        assert_eq!(fill("plain", &[]), "plain");
        assert_eq!(fill("{nobody}.", &[]), ".");
    }
}
