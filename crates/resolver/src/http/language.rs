//! The languages of the page: which one a visitor reads best, what it says, and how it writes a time.

mod countries;
mod de;
mod en;
mod es;
mod fr;
mod texts;
mod zh;

use chrono::{DateTime, Datelike, Timelike, Utc};

pub use texts::{Texts, Words, fill};

use crate::app::geo::Country;

/// A language that the page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English: also for whoever reads none of the others.
    English,
    /// German.
    German,
    /// Spanish.
    Spanish,
    /// French.
    French,
    /// Chinese, in simplified characters.
    Chinese,
}

impl Language {
    /// Every language.
    pub const ALL: [Language; 5] =
        [Language::English, Language::German, Language::Spanish, Language::French, Language::Chinese];

    /// The tag of BCP 47, for `lang` and `Content-Language`.
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::German => "de",
            Language::Spanish => "es",
            Language::French => "fr",
            Language::Chinese => "zh-Hans",
        }
    }

    /// What the page says.
    pub fn texts(self) -> &'static Texts {
        match self {
            Language::English => &en::TEXTS,
            Language::German => &de::TEXTS,
            Language::Spanish => &es::TEXTS,
            Language::French => &fr::TEXTS,
            Language::Chinese => &zh::TEXTS,
        }
    }

    /// The best match for an `Accept-Language` (RFC 9110, section 12.5.4), by the lookup of RFC 4647, section 3.4: the
    /// heaviest range first, of equal ones the earlier; `zh-Hant-TW` is cut down until `zh` matches.
    pub fn preferred(accept: &str) -> Self {
        let ranges = || accept.split(',').map(range);
        let refused =
            |language: Language| ranges().any(|(of, weight)| of == Range::For(language) && weight == 0);
        let mut best: Option<(u32, Language)> = None;
        for (asked, weight) in ranges().filter(|(_, weight)| *weight > 0) {
            let language = match asked {
                Range::For(language) => Some(language),
                Range::Any => Language::ALL.into_iter().find(|language| !refused(*language)),
                Range::Other => None,
            };
            if let Some(language) = language
                && best.is_none_or(|(most, _)| weight > most)
            {
                best = Some((weight, language));
            }
        }
        best.map_or(Language::English, |(_, language)| language)
    }

    /// What a country is called.
    pub fn country(self, country: &Country) -> String {
        countries::name(self, country)
    }

    /// A time for people, in UTC and saying so.
    pub fn time(self, at: DateTime<Utc>) -> String {
        let texts = self.texts();
        let (year, day) = (at.year(), at.day());
        let month = texts.months.get(at.month0() as usize).copied().unwrap_or_default();
        let clock = format!("{:02}:{:02}", at.hour(), at.minute());
        match self {
            Language::English => format!("{day} {month} {year} at {clock} UTC"),
            Language::German => format!("{day}. {month} {year} um {clock} Uhr (UTC)"),
            Language::Spanish => {
                let article = if at.hour() == 1 { "la" } else { "las" };
                format!("{day} de {month} de {year} a {article} {clock} (UTC)")
            }
            Language::French => {
                let ordinal = if day == 1 { "er" } else { "" };
                format!("{day}{ordinal} {month} {year} à {clock} (UTC)")
            }
            Language::Chinese => format!("{year}年{month}月{day}日 {clock}（UTC）"),
        }
    }
}

/// What a range of `Accept-Language` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Range {
    For(Language),
    Any,
    Other,
}

/// A range and its weight in thousandths; 0 when it cannot be read.
fn range(text: &str) -> (Range, u32) {
    let (tag, parameters) = text.split_once(';').unwrap_or((text, ""));
    let tag = tag.trim();
    let primary = tag.split('-').next().unwrap_or_default();
    let language = Language::ALL.into_iter().find(|language| {
        language.tag().split('-').next().is_some_and(|own| own.eq_ignore_ascii_case(primary))
    });
    let asked = match language {
        Some(language) => Range::For(language),
        None if tag == "*" => Range::Any,
        None => Range::Other,
    };
    (asked, super::negotiate::weight(parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferred_follows_weights_and_cuts_tags_down() {
        for (accept, language) in [
            ("", Language::English),
            ("*", Language::English),
            ("ja", Language::English),
            ("de", Language::German),
            ("DE-at", Language::German),
            ("de-CH-1996,de;q=0.9,en;q=0.8", Language::German),
            ("ja,fr;q=0.2,en;q=0.1", Language::French),
            ("en;q=0.5,es-419", Language::Spanish),
            ("zh-Hans-CN", Language::Chinese),
            ("zh-TW,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("zh-Hant", Language::Chinese),
            ("de;q=0.8,fr;q=0.8", Language::German),
            ("de;q=0,fr;q=0.1", Language::French),
            ("*;q=0.5,en;q=0", Language::German),
            ("es;q=0", Language::English),
            ("fr;q=nonsense,de;q=0.3", Language::German),
            ("eng,deu", Language::English),
            (" , ;;q=,-,es", Language::Spanish),
        ] {
            assert_eq!(Language::preferred(accept), language, "{accept:?}");
        }
    }

    #[test]
    fn time_is_written_as_in_the_language() {
        let at = DateTime::from_timestamp(1_793_495_100, 0).unwrap();
        let written = Language::ALL.map(|language| language.time(at));
        assert_eq!(
            written,
            [
                "1 November 2026 at 01:05 UTC",
                "1. November 2026 um 01:05 Uhr (UTC)",
                "1 de noviembre de 2026 a la 01:05 (UTC)",
                "1er novembre 2026 à 01:05 (UTC)",
                "2026年11月1日 01:05（UTC）",
            ]
        );
        let later = DateTime::from_timestamp(1_793_495_100 + 86_400 + 3_600, 0).unwrap();
        assert_eq!(Language::Spanish.time(later), "2 de noviembre de 2026 a las 02:05 (UTC)");
        assert_eq!(Language::French.time(later), "2 novembre 2026 à 02:05 (UTC)");
    }
}
