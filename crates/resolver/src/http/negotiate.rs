//! Which form of the answer a client prefers (RFC 9110, section 12.5.1), and in which language.

use actix_web::http::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderMap};

use super::language::Language;

/// Who reads an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader<'a> {
    /// The form that they read.
    pub form: Form,
    languages: &'a str,
}

impl<'a> Reader<'a> {
    /// What the headers of a request ask for.
    pub fn of(headers: &'a HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Reader { form: Form::preferred(text(ACCEPT)), languages: text(ACCEPT_LANGUAGE).unwrap_or_default() }
    }

    /// The language of what people read; found out only where they do, since most scans are redirects.
    pub fn language(self) -> Language {
        Language::preferred(self.languages)
    }
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people: a redirect, or a page.
    Page,
    /// For programs: JSON, and problem documents.
    Json,
}

impl Form {
    /// JSON when it is named and nothing that a browser shows is preferred to it; a wildcard alone means the page.
    pub fn preferred(accept: Option<&str>) -> Self {
        let accept = accept.unwrap_or_default();
        // Browsers never name it, and nearly all scans are theirs.
        if !accept.bytes().any(|byte| byte.eq_ignore_ascii_case(&b'j')) {
            return Form::Page;
        }
        let (mut json, mut page) = (0, 0);
        for range in accept.split(',') {
            let (media, parameters) = range.split_once(';').unwrap_or((range, ""));
            let media = media.trim();
            let weight = weight(parameters);
            if media.eq_ignore_ascii_case("application/json")
                || media.eq_ignore_ascii_case("application/problem+json")
            {
                // Of two that weigh the same the earlier one wins.
                json = json.max(if weight > 0 { weight * 2 + u32::from(page < weight * 2) } else { 0 });
            } else if media.eq_ignore_ascii_case("text/html")
                || media.eq_ignore_ascii_case("application/xhtml+xml")
            {
                page = page.max(weight * 2);
            }
        }
        if json > page { Form::Json } else { Form::Page }
    }
}

/// The `q` of a media range in thousandths; 1000 when it has none, 0 when it cannot be read.
pub(super) fn weight(parameters: &str) -> u32 {
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
    });
    match value {
        None => 1000,
        Some(value) => value
            .parse::<f32>()
            .ok()
            .filter(|weight| (0.0..=1.0).contains(weight))
            .map_or(0, |weight| (weight * 1000.0) as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferred_of_common_headers() {
        for (accept, form) in [
            ("", Form::Page),
            ("*/*", Form::Page),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form::Page),
            ("application/json", Form::Json),
            ("Application/JSON; charset=utf-8", Form::Json),
            ("application/json, text/plain, */*", Form::Json),
            ("application/problem+json", Form::Json),
            ("text/html, application/json", Form::Page),
            ("application/json, text/html", Form::Json),
            ("application/json;q=0.5, text/html", Form::Page),
            ("text/html;q=0.5, application/json;q=0.9", Form::Json),
            ("application/json;q=0", Form::Page),
            ("application/json;q=nonsense", Form::Page),
        ] {
            assert_eq!(Form::preferred(Some(accept)), form, "{accept}");
        }
        assert_eq!(Form::preferred(None), Form::Page);
    }
}
