//! When the provider's certificate ends is learnt from connections that are opened anyway.

use super::*;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// A provider with a certificate that ends then, and whoever trusts it.
async fn certified() -> (World, i64, TempDir) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2121, 5, 18);
    let ends = params.not_after.unix_timestamp();
    let pem = params.self_signed(&key).unwrap().pem();
    let fake = FakeProvider::start_tls_with(pem.as_bytes(), key.serialize_pem().as_bytes()).await;
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, pem).unwrap();
    let mut world = World::of(fake);
    world.config.ca_file = Some(ca_file);
    (world, ends, folder)
}

fn gauge(world: &World) -> Option<String> {
    let name = "portcullis_provider_certificate_expiry_seconds{";
    let text = world.metrics.render();
    let line = text.lines().find(|line| line.starts_with(name));
    line.map(str::to_owned)
}

#[tokio::test]
async fn a_sign_in_tells_when_the_certificate_ends() {
    let (world, ends, _folder) = certified().await;
    let provider = world.provider();
    assert_eq!(provider.status().certificate, None);
    assert_eq!(gauge(&world), None);
    sign_in(&provider, &world.fake).await.unwrap();
    let host = world.fake.issuer().replace("https://", "");
    let want = Certificate { host, ends };
    assert_eq!(provider.status().certificate, Some(want));
    assert!(gauge(&world).unwrap().ends_with(&format!(" {ends}")));
}

#[tokio::test]
async fn an_answer_that_is_of_no_use_has_a_certificate_too() {
    for answer in [
        Canned::json(500, &json!({})),
        Canned::Header(302, "location", "/elsewhere".to_owned()),
    ] {
        let (world, ends, _folder) = certified().await;
        world.fake.script(|script| {
            let path = "/.well-known/openid-configuration";
            script.answers.insert(path, answer);
        });
        let provider = world.provider();
        assert!(provider.probe().await.iter().any(|finding| !finding.ok));
        assert_eq!(provider.status().certificate.unwrap().ends, ends);
    }
}

#[tokio::test]
async fn without_tls_there_is_none() {
    let world = World::new().await;
    let provider = world.provider();
    sign_in(&provider, &world.fake).await.unwrap();
    assert_eq!(provider.status().certificate, None);
    assert_eq!(gauge(&world), None);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_tells_nothing() {
    let (mut world, _, _folder) = certified().await;
    world.config.ca_file = config_for(&world.fake).ca_file;
    let provider = world.provider();
    provider.start(Ask::default()).await.unwrap_err();
    assert_eq!(provider.status().certificate, None);
}
