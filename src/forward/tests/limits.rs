//! Upstreams that are away, slow, silent or mad.

use super::*;

const SHORT: Duration = Duration::from_millis(60);

async fn impatient() -> Way {
    Way::with(None, |config| config.upstream.head_timeout = SHORT).await
}

async fn restless() -> Way {
    Way::with(None, |config| config.upstream.idle_timeout = SHORT).await
}

#[track_caller]
fn check(seen: &str, status: &str, code: &str) {
    assert!(seen.starts_with(&format!("HTTP/1.1 {status}")), "{seen}");
    assert!(seen.contains(code), "{seen}");
    assert!(!seen.contains("127.0.0.1"), "{seen}");
}

#[tokio::test]
async fn nobody_listens() {
    let mut way = Way::new().await;
    way.far = Far::listen().await;
    let mut near = way.connect().await;
    near.say(&ask("GET /", "Connection: close\r\n")).await;
    let seen = near.rest().await;
    check(&seen, "502", "upstream_unreachable");
    assert!(seen.contains("Bitbucket cannot be reached"), "{seen}");
    assert!(seen.contains("connection refused"), "{seen}");
}

#[tokio::test]
async fn a_name_without_an_address() {
    // A label may have 63 characters, so no resolver is asked.
    let host = "a".repeat(64);
    let way = Way::with(None, |config| {
        config.upstream.kind = Kind::Generic;
        config.upstream.url = origin(&format!("http://{host}:1"));
    })
    .await;
    let mut near = way.connect().await;
    near.say(&ask("GET /", "Connection: close\r\n")).await;
    let seen = near.rest().await;
    check(&seen, "502", "its name has no address");
    assert!(seen.contains("The application cannot be reached"), "{seen}");
    assert!(!seen.contains(&host), "{seen}");
}

#[tokio::test]
async fn no_answer_begins_in_time() {
    let way = impatient().await;
    let (mut near, mut far) = way.begin(&get("/")).await;
    far.head().await;
    check(&near.until("again.").await, "504", "upstream_timeout");
    assert_eq!(far.rest().await, "");
}

#[tokio::test]
async fn git_and_archives_may_take_their_time() {
    for path in [
        "/scm/p/r.git/info/refs?service=git-upload-pack",
        "/scm/p/r.git/info/lfs/objects/batch",
        "/rest/git-lfs/storage/P/r/1f2e",
        "/rest/api/latest/projects/P/repos/r/archive?format=zip",
    ] {
        let way = impatient().await;
        let (mut near, mut far) = way.begin(&get(path)).await;
        far.head().await;
        near.says_nothing().await;
        far.say(OK).await;
        near.until("ok").await;
    }
}

#[tokio::test]
async fn nobody_may_take_their_time_by_calling_themselves_git() {
    for agent in ["git/2.47.0", "git-lfs/3.6.0", "JGit/6.10"] {
        let way = impatient().await;
        let named = ask("GET /", &format!("User-Agent: {agent}\r\n"));
        let (mut near, mut far) = way.begin(&named).await;
        far.head().await;
        check(&near.until("again.").await, "504", "upstream_timeout");
    }
}

#[tokio::test]
async fn the_time_for_an_answer_begins_after_the_request() {
    let way = impatient().await;
    let (mut near, mut far) = way.begin(&ask("PUT /", "Content-Length: 6\r\n")).await;
    near.say("abc").await;
    far.head().await;
    far.exactly("abc").await;
    near.says_nothing().await;
    near.say("def").await;
    far.exactly("def").await;
    check(&near.until("again.").await, "504", "upstream_timeout");
}

#[tokio::test]
async fn an_answer_that_falls_silent_is_cut() {
    let way = restless().await;
    let (mut near, mut far) = way.begin(&get("/")).await;
    far.head().await;
    far.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        .await;
    let seen = near.rest().await;
    assert!(seen.ends_with("1\r\na\r\n"), "{seen}");
    assert_eq!(far.rest().await, "");
}

#[tokio::test]
async fn an_upload_that_falls_silent_is_cut() {
    let way = restless().await;
    let begun = ask("PUT /", "Content-Length: 6\r\n") + "abc";
    let (mut near, mut far) = way.begin(&begun).await;
    check(&near.until("seconds.").await, "504", "upstream_silence");
    assert!(far.rest().await.ends_with("abc"));
}

#[tokio::test]
async fn a_client_that_takes_nothing_more_loses_the_upstream() {
    let way = restless().await;
    let (_near, mut far) = way.begin(&get("/")).await;
    far.head().await;
    far.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        .await;
    let piece = vec![0; 1 << 20];
    let pour = async { while far.0.write_all(&piece).await.is_ok() {} };
    assert!(timeout(SOON, pour).await.is_ok());
}

#[tokio::test]
async fn what_is_no_http_is_not_passed_on() {
    for answer in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ] {
        let way = Way::new().await;
        let (mut near, mut far) = way.begin(&get("/")).await;
        far.head().await;
        far.say(answer).await;
        check(&near.until("below.").await, "502", "upstream_bad_response");
    }
}

#[tokio::test]
async fn no_tls_in_time() {
    let way = Way::with(None, |config| {
        let port = config.upstream.url.url.port().unwrap();
        config.upstream.url = origin(&format!("https://127.0.0.1:{port}"));
        config.upstream.connect_timeout = SHORT;
        config.upstream.ca_file = Some(super::tls::authority_file());
    })
    .await;
    let (mut near, _far) = way.begin(&get("/")).await;
    check(
        &near.until("moment.").await,
        "504",
        "upstream_connect_timeout",
    );
}
