//! Destination templates: where a brand sends whoever scans a unit of a product.

use mintmark_fault::{Fault, Result};
use mintmark_service::config::AppEnv;
use url::Url;

/// Characters in the longest template: longer URLs fail in some in-app browsers.
const MAX_TEMPLATE: usize = 2_000;

/// What the resolver fills in.
const PLACEHOLDERS: [&str; 3] = ["gtin", "serial", "batch"];

/// Accepts nothing, or an absolute https URL (http too outside production) whose only placeholders are `{gtin}`,
/// `{serial}` and `{batch}`, none of them in the host: the brand decides where its customers go, not the code.
pub fn check(template: Option<&str>, app_env: AppEnv) -> Result<()> {
    let Some(template) = template else { return Ok(()) };
    if template.chars().count() > MAX_TEMPLATE {
        return Err(refused(format!("a destination has at most {MAX_TEMPLATE} characters")));
    }
    if template.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(refused("a destination has no white space and no control characters"));
    }
    let filled = fill(template)?;
    let url = Url::parse(&filled)
        .map_err(|_| refused("a destination is a whole URL like https://brand.example/p/{gtin}"))?;
    let scheme_fits = url.scheme() == "https" || (url.scheme() == "http" && !app_env.is_production());
    if !scheme_fits {
        return Err(refused("a destination starts with https://"));
    }
    if !url.has_host() || !url.username().is_empty() || url.password().is_some() {
        return Err(refused("a destination names a host, and no user or password"));
    }
    if authority(template).contains('{') {
        return Err(refused("the placeholders stand in the path or query of a destination, not in its host"));
    }
    Ok(())
}

/// Replaces each placeholder by a digit, which can stand wherever a placeholder can.
fn fill(template: &str) -> Result<String> {
    let unknown =
        || refused("a destination knows the placeholders {gtin}, {serial} and {batch}, and no other braces");
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find(['{', '}']) {
        filled.push_str(&rest[..open]);
        let inside = rest[open..].strip_prefix('{').ok_or_else(unknown)?;
        let (name, after) = inside.split_once('}').ok_or_else(unknown)?;
        if !PLACEHOLDERS.contains(&name) {
            return Err(unknown());
        }
        filled.push('0');
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Everything up to the path: where a placeholder would change the host or the scheme.
fn authority(template: &str) -> &str {
    let after_scheme = template.find("://").map_or(0, |at| at + 3);
    let end =
        template[after_scheme..].find(['/', '?', '#', '\\']).map_or(template.len(), |at| after_scheme + at);
    &template[..end]
}

fn refused(sentence: impl Into<String>) -> Fault {
    Fault::invalid("DESTINATION_INVALID", "destinationTemplate", sentence.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_takes_absolute_urls_with_known_placeholders() {
        for fine in [
            "https://brand.example",
            "https://brand.example/p/{gtin}/{serial}?batch={batch}",
            "https://brand.example:8443/{gtin}{serial}#x",
        ] {
            assert!(check(Some(fine), AppEnv::Production).is_ok(), "{fine}");
        }
        assert!(check(None, AppEnv::Production).is_ok());
    }

    #[test]
    fn check_refuses_what_could_lead_elsewhere() {
        let long = format!("https://brand.example/{}", "a".repeat(MAX_TEMPLATE));
        for bad in [
            "",
            "brand.example",
            "/p/{gtin}",
            "//brand.example/p",
            "javascript:alert(1)",
            "ftp://brand.example",
            "https://",
            "https://{gtin}.brand.example/",
            "https://brand.example{serial}",
            "https://brand.example:{serial}/",
            "https://brand.example?{code}",
            "https://brand.example/{code}",
            "https://brand.example/{GTIN}",
            "https://brand.example/{",
            "https://brand.example/}",
            "https://brand.example/{{gtin}}",
            "https://user:word@brand.example/",
            "https://user@brand.example/",
            "https://brand.example/a b",
            "https://brand.example/\n",
            "{gtin}://brand.example/",
            long.as_str(),
        ] {
            assert!(check(Some(bad), AppEnv::Production).is_err(), "{bad}");
        }
    }

    #[test]
    fn check_takes_http_outside_production_only() {
        let http = Some("http://127.0.0.1:9000/p/{gtin}");
        assert!(check(http, AppEnv::Production).is_err());
        assert!(check(http, AppEnv::Development).is_ok());
    }
}
