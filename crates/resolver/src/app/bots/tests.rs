use std::time::Instant;

use super::*;

const CRAWLERS: &str = include_str!("../../../tests/data/crawlers.txt");
const PREVIEWS: &str = include_str!("../../../tests/data/social-previews.txt");
const BROWSERS: &str = include_str!("../../../tests/data/mobile-browsers.txt");

fn is_machine(user_agent: &str) -> bool {
    Bots::compiled_in().names_a_machine(user_agent.as_bytes())
}

/// Which lines are taken for machines, and which are not.
fn judged(lines: &str) -> (Vec<&str>, Vec<&str>) {
    lines.lines().partition(|line| is_machine(line))
}

#[test]
fn compiled_in_list_is_sound_and_knows_its_own_examples() {
    #[derive(Deserialize)]
    struct Example {
        instances: Vec<String>,
    }
    compile(COMPILED_IN).unwrap();
    let examples: Vec<Example> = serde_json::from_slice(COMPILED_IN).unwrap();
    let all: Vec<&String> = examples.iter().flat_map(|entry| &entry.instances).collect();
    // `okhttp` is a person's app for us (device.rs).
    let theirs = |user_agent: &&&String| !user_agent.starts_with("okhttp/");
    let missed: Vec<_> = all.iter().filter(theirs).filter(|user_agent| !is_machine(user_agent)).collect();
    // One of them is the browser inside an app, told by its telephone's build: a person's too.
    assert!(all.len() > 2_000 && missed.len() <= 1, "{missed:#?}");
}

#[test]
fn held_out_samples_are_within_the_thresholds() {
    let (caught, missed) = judged(CRAWLERS);
    assert!(caught.len() * 1_000 >= 970 * (caught.len() + missed.len()), "{} {missed:#?}", missed.len());
    let (caught, missed) = judged(PREVIEWS);
    assert!(caught.len() * 1_000 >= 990 * (caught.len() + missed.len()), "{missed:#?}");
    let (taken, people) = judged(BROWSERS);
    assert!(people.len() >= 1_700 && taken.len() * 1_000 <= people.len() + taken.len(), "{taken:#?}");
}

#[test]
fn social_previews_are_machines() {
    for user_agent in [
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "facebookexternalhit/1.1;line-poker/1.0",
        "meta-externalagent/1.1",
        "Twitterbot/1.0",
        "WhatsApp/2.23.20.0",
        "WhatsApp/2.24.9.78 A",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Slack-ImgProxy (+https://api.slack.com/robots)",
        "TelegramBot (like TwitterBot)",
        "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
        "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        "Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko; compatible; Bluesky Cardyb/1.1; +mailto:support@bsky.app) Chrome/131.0 Safari/537.36",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P; AdsBot-Google; +http://www.google.com/bot.html) AppleWebKit/537.36 Chrome/94.0 Mobile Safari/537.36",
    ] {
        assert!(is_machine(user_agent), "{user_agent}");
    }
}

#[test]
fn telephones_and_browsers_inside_apps_are_people() {
    const ANDROID: &str =
        "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36";
    for device in [
        "B BOT 550",
        "CUBOT_X18_Plus",
        "IMO Discovery II",
        "GLX SpiderI",
        "HTC Butterfly",
        "ViewSonic V350",
        "M_bot_tab_71",
    ] {
        for comment in
            [format!("Linux; Android 9; {device}"), format!("Linux; U; Android 9; {device} Build/PPR1; wv")]
        {
            let user_agent = format!("Mozilla/5.0 ({comment}) {ANDROID}");
            assert!(!is_machine(&user_agent), "{user_agent}");
        }
    }
    for app in [
        "[FBAN/FBIOS;FBAV/480.0.0.36.108;FBBV/1;FBDV/iPhone15,3]",
        "Instagram 406.0.0.58.159 (iPhone15,3; iOS 18_1; de_DE; de; scale=3.00)",
        "Snapchat/13.10.0.40 (like Safari/8619.2.8.10.9, panda)",
        "[Pinterest/iOS]",
        "Viber/22.1.0.2",
        "Flipboard/4.2.24",
        "LinkedInApp/9.30.1",
        "GSA/345.0.695783405",
        "Line/14.19.0",
        "MicroMessenger/8.0.54(0x18003621) NetType/WIFI Language/de",
        "musical_ly_37.2.0 JsSdk/2.0 NetType/WIFI Channel/App Store",
        "DuckDuckGo/7",
    ] {
        let user_agent = format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 {app}"
        );
        assert!(!is_machine(&user_agent), "{user_agent}");
    }
    for user_agent in [
        "dv(iPh14,7);pr(UCBrowser/11.3.5.1203);ov(16_0);ss(375x812);bt(GJ);pm(0);bv(0);nm(0);im(0);nt(2);",
        "Mozilla/5.0 (Linux; Android 7.1.2; MANN 8S Build/N2G47H; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/55.0 Mobile Safari/537.36 SogouMSE,SogouMobileBrowser/6.1.5",
        "UCWEB/2.0 (MIDP-2.0; U; Adr 6.0; ru; CUBOT_ECHO) U2/1.0.0 UCBrowser/9.9.0.543 U2/1.0.0 Mobile",
    ] {
        assert!(!is_machine(user_agent), "{user_agent}");
    }
}

#[test]
fn names_a_machine_survives_any_bytes() {
    let bots = Bots::compiled_in();
    assert!(bots.names_a_machine(b""), "an empty one is a machine's");
    for bytes in [&b"("[..], b"((((", b")", b"(linux; android", b"\xff\xfe", b"(android build/", b"mozilla/"]
    {
        let _verdict = bots.names_a_machine(bytes);
    }
    let _verdict = bots.names_a_machine(&vec![b'('; 100_000]);
}

#[test]
fn file_is_reloaded_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.json");
    let put = |text: &str| std::fs::write(&path, text).unwrap();
    assert!(matches!(Bots::file(&path), Err(BotListError::Unreadable(_))));
    put(r#"[{"pattern": "Safari/newcomer", "url": "https://example.com", "instances": []}]"#);
    let bots = Bots::file(&path).unwrap();
    let browser = |end: &str| format!("{} {end}", rules::COMMON_BROWSERS[0]).into_bytes();
    assert!(
        bots.names_a_machine(&browser("Safari/newcomer")) && !bots.names_a_machine(&browser("Safari/other"))
    );
    assert!(!bots.reload().unwrap(), "nothing changed");

    put(r#"[{"pattern": "Safari/other"}]"#);
    assert!(bots.reload().unwrap());
    assert!(
        !bots.names_a_machine(&browser("Safari/newcomer")) && bots.names_a_machine(&browser("Safari/other"))
    );
    for bad in
        ["", "{}", "[]", r#"[{"pattern": "("}]"#, r#"[{"pattern": "Mozilla"}]"#, r#"[{"pattern": ""}]"#]
    {
        put(bad);
        assert!(bots.reload().is_err(), "{bad}");
        assert!(bots.names_a_machine(&browser("Safari/other")), "the old list stays");
    }
    put(r#"[{"pattern": "fine"}, {"pattern": "a{99999999}"}]"#);
    assert!(matches!(bots.reload(), Err(BotListError::Pattern { at: 2, .. })));
}

#[test]
fn names_a_machine_takes_microseconds() {
    let bots = Bots::compiled_in();
    let lines: Vec<&[u8]> = BROWSERS.lines().map(str::as_bytes).collect();
    let _warm = lines.iter().filter(|line| bots.names_a_machine(line)).count();
    let started = Instant::now();
    let _again = lines.iter().filter(|line| bots.names_a_machine(line)).count();
    let each = started.elapsed() / u32::try_from(lines.len()).unwrap();
    // Optimised it is a few microseconds; the bound leaves room for a build without optimisation on a busy machine.
    assert!(each.as_micros() < 1_000, "{each:?}");
    println!("{each:?} for each User-Agent");
}
