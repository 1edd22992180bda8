//! The document's program does what the document promises.

#[expect(dead_code, reason = "its `main` is for people")]
#[path = "../examples/document.rs"]
mod document;

#[tokio::test]
async fn the_documents_program_keeps_its_user_and_its_goals_and_waits_for_look_ups_alone() {
    let played = document::play().await.expect("it plays");
    assert_eq!(document::check(&played), Ok(()));
}
