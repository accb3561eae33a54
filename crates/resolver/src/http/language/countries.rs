//! Names of countries, out of the table in `data/`.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Language;
use crate::app::geo::Country;

static TABLE: &str = include_str!("../../../data/country-names.tsv");

/// The columns of the table behind the code, in the order of [`Language::ALL`].
static NAMES: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| line.split_once('\t'))
        .map(|(code, names)| (code, names.split('\t').collect()))
        .collect()
});

/// What a country is called; its code, should the table not know it.
pub fn name(language: Language, country: &Country) -> String {
    let column = Language::ALL.iter().position(|known| *known == language).unwrap_or_default();
    let names = NAMES.get(country.as_str());
    names.and_then(|names| names.get(column)).copied().unwrap_or(country.as_str()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_in_the_language() {
        let germany = Country::parse("DE").unwrap();
        let names = Language::ALL.map(|language| name(language, &germany));
        assert_eq!(names, ["Germany", "Deutschland", "Alemania", "Allemagne", "德国"]);
        assert_eq!(name(Language::French, &Country::parse("QQ").unwrap()), "QQ");
    }

    #[test]
    fn table_names_every_country_in_every_language() {
        assert!(NAMES.len() > 240, "{}", NAMES.len());
        for (code, names) in NAMES.iter() {
            assert!(Country::parse(code).is_some(), "{code}");
            assert_eq!(names.len(), Language::ALL.len(), "{code}");
            assert!(names.iter().all(|name| !name.is_empty()), "{code}");
        }
    }
}
