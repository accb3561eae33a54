//! Who asks: a person, whose scan counts, or a machine, whose scan leaves no trace; and on what kind of device.
//!
//! The rule decides side effects alone. A machine that it mistakes for a person activates a code; a person whom it
//! mistakes for a machine still gets the true answer.

use super::bots::Bots;

/// What a request says about its sender; each value is a header as it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signals<'a> {
    /// `User-Agent`.
    pub user_agent: &'a [u8],
    /// `Sec-Purpose`, or the older `Purpose`, `X-Purpose`, `X-Moz`.
    pub purpose: Option<&'a [u8]>,
    /// `Sec-Fetch-Dest`: what the browser will do with the answer.
    pub destination: Option<&'a [u8]>,
    /// The method is HEAD.
    pub head: bool,
}

impl Signals<'_> {
    /// The kind of device when this scan counts as a person's: it may activate, and it leaves a row of telemetry.
    pub fn person(&self, bots: &Bots) -> Option<DeviceClass> {
        let by_hand = !self.head
            && !self.purpose.is_some_and(announces_a_fetch_ahead)
            && !self.destination.is_some_and(embeds);
        let said = by_hand.then(|| bots.said(self.user_agent))?;
        (!said.machine).then_some(said.device)
    }
}

/// The kind of device, as coarse as telemetry keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceClass {
    /// A telephone.
    Phone,
    /// A tablet.
    Tablet,
    /// A desktop or laptop computer.
    Desktop,
    /// Anything else, or nothing said.
    Other,
}

impl DeviceClass {
    /// Reads the class from a User-Agent.
    pub fn of(user_agent: &[u8]) -> Self {
        let has = |word: &str| contains(user_agent, word.as_bytes());
        if has("ipad") || has("tablet") {
            DeviceClass::Tablet
        } else if has("iphone") || has("mobile") {
            DeviceClass::Phone
        } else if has("android") {
            // By convention a tablet's Android browser leaves out "Mobile".
            DeviceClass::Tablet
        } else if has("windows nt") || has("macintosh") || has("x11") || has("cros") {
            DeviceClass::Desktop
        } else {
            DeviceClass::Other
        }
    }

    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            DeviceClass::Phone => "phone",
            DeviceClass::Tablet => "tablet",
            DeviceClass::Desktop => "desktop",
            DeviceClass::Other => "other",
        }
    }
}

fn announces_a_fetch_ahead(purpose: &[u8]) -> bool {
    ["prefetch", "prerender", "preview"].iter().any(|word| contains(purpose, word.as_bytes()))
}

/// A link that a page loads as an image, a frame, a script was opened by the page's author. A person opens a `document`;
/// `empty` is an app or a page of the person's own that asks for JSON.
fn embeds(destination: &[u8]) -> bool {
    !["document", "empty"].iter().any(|word| destination.eq_ignore_ascii_case(word.as_bytes()))
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
    const PIXEL: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36";
    const CUBOT: &str = "Mozilla/5.0 (Linux; Android 9; CUBOT_X18_Plus) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0 Mobile Safari/537.36";
    const TABLET: &str = "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
    const IPAD: &str = "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
    const LINUX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
    const IN_APP: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21G93 [FBAN/FBIOS;FBAV/480.0.0.36.108;FBBV/1]";

    fn is_person(user_agent: &str) -> bool {
        Signals { user_agent: user_agent.as_bytes(), ..Signals::default() }
            .person(&Bots::compiled_in())
            .is_some()
    }

    #[test]
    fn is_person_for_browsers() {
        for user_agent in [IPHONE, PIXEL, CUBOT, TABLET, IPAD, LINUX, IN_APP, "okhttp/4.12.0"] {
            assert!(is_person(user_agent), "{user_agent}");
        }
    }

    #[test]
    fn is_person_not_for_machines() {
        for user_agent in [
            "",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "WhatsApp/2.23.20.0",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "curl/8.5.0",
            "python-requests/2.32",
            "Python/3.12 aiohttp/3.9",
            "Go-http-client/2.0",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0 Safari/537.36",
            "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
            "Baiduspider/2.0",
            "SOMETHING-CRAWLER",
        ] {
            assert!(!is_person(user_agent), "{user_agent}");
        }
    }

    #[test]
    fn is_person_not_when_fetching_ahead_or_head() {
        let person = Signals { user_agent: IPHONE.as_bytes(), ..Signals::default() };
        let bots = Bots::compiled_in();
        assert!(person.person(&bots).is_some());
        assert!(Signals { head: true, ..person }.person(&bots).is_none());
        for purpose in [&b"prefetch;prerender"[..], b"Preview", b"prefetch;anonymous-client-ip"] {
            assert!(Signals { purpose: Some(purpose), ..person }.person(&bots).is_none());
        }
    }

    #[test]
    fn is_person_not_when_a_page_embeds_the_link() {
        let person = Signals { user_agent: IPHONE.as_bytes(), ..Signals::default() };
        let bots = Bots::compiled_in();
        for (destination, expected) in [
            (&b"document"[..], true),
            (b"empty", true),
            (b"image", false),
            (b"iframe", false),
            (b"script", false),
            (b"embed", false),
            (b"serviceworker", false),
        ] {
            let signals = Signals { destination: Some(destination), ..person };
            assert_eq!(signals.person(&bots).is_some(), expected, "{}", String::from_utf8_lossy(destination));
        }
    }

    #[test]
    fn device_class_of_common_browsers() {
        for (user_agent, class) in [
            (IPHONE, DeviceClass::Phone),
            (PIXEL, DeviceClass::Phone),
            (TABLET, DeviceClass::Tablet),
            (IPAD, DeviceClass::Tablet),
            (LINUX, DeviceClass::Desktop),
            ("okhttp/4.12.0", DeviceClass::Other),
        ] {
            assert_eq!(DeviceClass::of(user_agent.as_bytes()), class, "{user_agent}");
        }
    }
}
