//! The pages as a reader gets them from a whole gateway: in a language, with the house's look, and
//! leading where they should.

use crate::support::gateway::simple;
use crate::support::{Answer, Setup};

const LANGUAGES: [(&str, &str, &str); 6] = [
    ("en", "Sign in with ", "Your e-mail address"),
    ("de", "Anmelden mit ", "Ihre E-Mail-Adresse"),
    ("fr", "Se connecter avec ", "Votre adresse e-mail"),
    (
        "es",
        "Iniciar sesión con ",
        "Su dirección de correo electrónico",
    ),
    ("ja", " でサインイン", "メールアドレス"),
    ("tr", " ile oturum aç", "E-posta adresiniz"),
];

const RULE: &str = "[[sign_in.rules]]\ndomains = [\"example.com\"]\nprovider = \"unused\"\n";

async fn in_language(setup: &Setup, target: &str, language: &str) -> Answer {
    let wish = [("accept", "text/html"), ("accept-language", language)];
    setup.request("GET", target, &wish).await
}

#[tokio::test]
async fn a_person_reads_the_sign_in_page_in_their_language() {
    let setup = simple(RULE).await;
    for (language, button, field) in LANGUAGES {
        let page = in_language(&setup, "/sso/login?choose=1", language).await;
        assert_eq!(page.header("content-language"), Some(language));
        page.expect(200).says(button).says(field);
    }
    let unknown = "/sso/login?choose=1&email=ana@other.example";
    in_language(&setup, unknown, "de-AT, en;q=0.5")
        .await
        .expect(200)
        .says("Für Adressen, die auf @other.example enden,");
    let wrong = "/sso/login?choose=1&email=ana";
    in_language(&setup, wrong, "es")
        .await
        .expect(400)
        .says("No es una dirección de correo electrónico");
}

#[tokio::test]
async fn the_countdown_and_what_is_refused_speak_the_readers_language_too() {
    let setup = simple("[sign_in]\nauto_redirect_delay_secs = 5\n").await;
    in_language(&setup, "/sso/login", "ja")
        .await
        .expect(200)
        .says("5 秒後に");
    in_language(&setup, "/sso/nowhere", "tr")
        .await
        .expect(404)
        .says("Böyle bir sayfa yok");
    in_language(&setup, "/sso/start/nobody", "fr")
        .await
        .expect(404)
        .says("<html lang=\"fr\"");
}

#[tokio::test]
async fn the_houses_words_stand_on_the_button_and_its_files_are_served() {
    let setup = simple("[branding]\nbutton_text = \"Continue with {provider}\"\n").await;
    in_language(&setup, "/sso/login?choose=1", "de")
        .await
        .expect(200)
        .says("<span>Continue with ");
    // There are no such files here.
    for missing in ["/sso/custom.css", "/sso/logo"] {
        setup.request("GET", missing, &[]).await.expect(404);
        setup.request("POST", missing, &[]).await.expect(405);
    }
}

#[tokio::test]
async fn a_form_that_cannot_be_read_has_a_page_with_a_way_back() {
    let setup = simple("").await;
    let large = "x".repeat(70_000);
    for address in ["/sso/callback/unused", "/backdoor", "/sso/account"] {
        let mut ana = setup.browser();
        let page = ana.submit(address, &[("x", &large)]).await.expect(413);
        let page = page.says("href=\"/\"").says("form_unreadable");
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{address}");
    }
}

#[tokio::test]
async fn the_sign_out_page_leads_to_ones_sessions_and_a_stranger_has_none() {
    let setup = simple("").await;
    let mut ana = setup.ana().await;
    let link = "href=\"/sso/account\"";
    ana.get("/sso/logout").await.expect(200).says(link);
    let stranger = setup.browser().get("/sso/logout").await.expect(200);
    assert!(!stranger.text().contains(link));
}
