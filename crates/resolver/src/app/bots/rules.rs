//! Our own rules: words that machines use for themselves, and the shape that browsers have and most machines have not.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

/// Browsers that no list may match: checked before one is taken into use.
pub(super) const COMMON_BROWSERS: [&str; 3] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
];

/// What machines call themselves.
const WORDS: &[&str] = &[
    // Crawlers, scanners and monitors.
    "bot|crawl|spider|slurp|scrap|fetch|headless|harvest|collector|extractor|indexer|nutch|archive|larbin",
    "monitor|uptime|pingdom|lighthouse|page ?speed|neustar|gomez|ptst|iplabel|pageburst|synthetic|measure|survey|probe",
    r"check(?:er|\b|_|-)|verif(?:y|ier)|validator|scanner|scan\b|inspect|audit|analy[sz]|detect|research|sitemap|seo\b",
    r"proxy|transcoder|thumb|capture|downloader|feed|\brss|library|agent\b|wordpress|hubspot|ahrefs|qwantify|outbrain",
    "dataprovider|w3c_|zgrab|wprecon|swurl|cloudflare|mimecast|barracuda|proofpoint|macoutlook",
    // Link previews. An app's own browser (Snapchat, Instagram, Viber …) begins with Mozilla and is a person's.
    "preview|externalhit|facebookcatalog|meta-external|^facebook|^snapchat|snap url|^whatsapp|^viber|^telegram|slack-",
    "vkshare|embedly|iframely|flipboardproxy|flipboardrss|^pinterest/0|tumblr/|cardyb|^xing|^discord|skypeuri",
    // Libraries and tools.
    r"^ruby|^java|^perl|^php|^pip/|^docker|^node|python|\bperl\b|libwww|http_|httpx|httpie|httrack|fasthttp|httpclient",
    "http-client|http client|node-fetch|axios|aiohttp|guzzle|curl|wget|winhttp|reqwest|undici|urllib|grpc",
    "puppeteer|playwright|phantomjs|selenium|postman|insomnia|cypress",
    // Google's many names, and a word behind "like Gecko", where browsers have none.
    r"mediapartners|google(?:-|other| web| page| search| favicon| adsense|adsense)|-google\b|daum[ /]|like gecko;",
    // Office programs fetch what a document links to; printers of pages.
    r"^microsoft office (?:word|excel|powerpoint) 20|mac os x\) (?:word|excel|powerpoint)/|wkhtml|2png|screenie|tester\b|npm/",
    // A link or an address to complain to.
    r"https?:|www\.|[\w.-]@[a-z][\w-]*\.",
];

/// What people's browsers and the apps on their devices have somewhere.
const OF_PEOPLE: &[&str] = &[
    "mozilla/|opera|android|ip(?:hone|ad|od)|midp|cfnetwork|darwin|okhttp|dalvik|symbian|blackberry|windows phone|ucweb",
    r"ucbrowser|nokia|samsung|ericsson|\bmot|\blg|webos|tizen|profile/|cldc|obigo|netfront|maui|brew|j2me|iemobile|palm",
    r"applecoremedia|instagram|huawei|\bzte|alcatel|lenovo|sagem|sie-|philips|panasonic|sharp|kddi|docomo|softbank|benq",
    r"vodafone|portalmmm|mobile|windows nt|linux|mac os|macintosh|\bios\b|\bsec",
];

/// What a text that begins with `Mozilla/` has, when it is a browser's.
const OF_BROWSERS: &[&str] = &[
    "gecko|webkit|msie|presto|trident|opera|khtml|android|iphone|konqueror|netscape|symbian|windows|linux|mac|x11|nokia",
    r"blackberry|midp|palm|mobile|\blg|samsung|sony|brew|vodafone|ucbrowser|amiga",
];

static MACHINE_WORDS: LazyLock<Regex> = LazyLock::new(|| pattern(&WORDS.join("|")));
static PEOPLE_WORDS: LazyLock<Regex> = LazyLock::new(|| pattern(&OF_PEOPLE.join("|")));
static BROWSER_WORDS: LazyLock<Regex> = LazyLock::new(|| pattern(&OF_BROWSERS.join("|")));

/// Whether our own rules take it for a machine: `said` is the text without the device's name.
pub(super) fn suspicious(user_agent: &[u8], said: &[u8]) -> bool {
    MACHINE_WORDS.is_match(said)
        || !PEOPLE_WORDS.is_match(user_agent)
        || (user_agent.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"mozilla/"))
            && !BROWSER_WORDS.is_match(user_agent))
}

/// A pattern of ours: bytes, in any case.
pub(super) fn pattern(text: &str) -> Regex {
    // Constants: the tests of this module use each of them.
    RegexBuilder::new(text).unicode(false).case_insensitive(true).build().unwrap_or_else(|_| nothing())
}

/// Matches nothing at all.
#[expect(clippy::expect_used, reason = "a constant, compiled by every test of this module")]
pub(super) fn nothing() -> Regex {
    RegexBuilder::new(r"[^\s\S]").unicode(false).build().expect("a constant")
}
