use super::*;

#[test]
fn a_list_has_pages_and_no_page_is_beyond_them() {
    let rows: Vec<usize> = (0..ROWS * 2 + 1).collect();
    let (first, before, after) = paged(rows.clone(), 1);
    assert_eq!((first.len(), before, after), (ROWS, None, Some(2)));
    let (last, before, after) = paged(rows, usize::MAX);
    assert_eq!((last.len(), before, after), (1, Some(2), None));
    let (none, before, after) = paged(Vec::<u8>::new(), 7);
    assert_eq!((none.len(), before, after), (0, None, None));
}

#[test]
fn a_moment_is_read_to_the_second() {
    let at = Timestamp::from_millis(951_782_400_070);
    assert_eq!(moment(at), "2000-02-29 00:00:00 UTC");
}

#[track_caller]
fn check_script(fields: &[(&'static str, &str)], script: bool) {
    let mut headers = http::HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, value.parse().unwrap());
    }
    let context = Context {
        headers,
        client: [127, 0, 0, 1].into(),
        concealed: false,
        id: crate::web::RequestId::fresh(),
    };
    assert_eq!(is_script(&context), script, "{fields:?}");
}

#[test]
fn a_script_of_another_page_of_our_origin_is_told_apart() {
    check_script(&[], false);
    let page = [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    check_script(&page, false);
    check_script(
        &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
        true,
    );
    check_script(&[("sec-fetch-mode", "same-origin")], true);
    check_script(
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        true,
    );
}
