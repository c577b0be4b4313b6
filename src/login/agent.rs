//! What a `User-Agent` says, in a word or two that people know their browsers by.

/// The browser and the system, as far as they are told. Every browser also names those that it wants
/// to be taken for, so the order is from the most particular to the most general.
pub(super) fn describe(agent: &str) -> (Option<&'static str>, Option<&'static str>) {
    let find = |table: &[(&str, &'static str)]| {
        let found = table.iter().find(|(sign, _)| agent.contains(sign));
        found.map(|(_, name)| *name)
    };
    (find(&BROWSERS), find(&SYSTEMS))
}

const BROWSERS: [(&str, &str); 13] = [
    ("HeadlessChrome/", "Chrome"),
    ("EdgiOS/", "Edge"),
    ("EdgA/", "Edge"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(agent: &str, browser: Option<&str>, system: Option<&str>) {
        assert_eq!(describe(agent), (browser, system), "{agent}");
    }

    #[test]
    fn browsers_are_named_by_what_they_are_and_not_by_what_they_imitate() {
        check(
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            Some("Firefox"),
            Some("Linux"),
        );
        check(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
            Some("Edge"),
            Some("Windows"),
        );
        check(
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
            Some("Chrome"),
            Some("Android"),
        );
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
            Some("Safari"),
            Some("iOS"),
        );
        check(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
            Some("Safari"),
            Some("macOS"),
        );
        check("curl/8.5.0", Some("curl"), None);
        check("<script>", None, None);
        check("", None, None);
    }
}
