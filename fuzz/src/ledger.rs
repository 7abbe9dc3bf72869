//! What others send or hand over of ledgers: signed notes, submissions to a witness, time stamps, entries, keys.

use lifeboat::evidence::{
    checkpoint::Checkpoint,
    cosignature::Cosigner,
    note::{Note, Verifier},
    statement, tile, timestamp, tree,
    witness::Submission,
};

/// Promises: any bytes are read or refused; a note, a submission and a tile have one way to be written, which is how they came; an entry
/// and a key are the same when they are written and read again.
pub fn ledger(input: &[u8]) {
    if let Ok(note) = Note::parse(input) {
        assert_eq!(note.to_string().as_bytes(), input, "a note has another form");
        if let Ok(checkpoint) = Checkpoint::read(&note) {
            assert_eq!(checkpoint.to_string(), note.text, "a checkpoint has another form");
        }
    }
    if let Ok(submission) = Submission::read(input) {
        assert_eq!(submission.to_string().as_bytes(), input, "a submission has another form");
    }
    let digest = tree::sha256(input);
    // No response holds its own digest: that would be a collision.
    assert!(timestamp::read(input, &digest, None).is_err(), "a response stamps itself");
    if let Ok((_, statement)) = statement::read(input) {
        let again = serde_json::to_vec(&statement).expect("a statement is written as JSON");
        let again: statement::Statement = serde_json::from_slice(&again).expect("and read back");
        assert_eq!(again, statement, "a statement is another when it is written");
    }
    if let Some(hashes) = tile::hashes(input, (input.len() / 32) as u64) {
        assert_eq!(hashes.concat(), input, "a tile has another form");
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    for part in [text, text.trim()] {
        if let Ok(key) = part.parse::<Cosigner>() {
            assert_eq!(key.to_string().parse().as_ref(), Ok(&key), "a witness's key is another when it is written");
        }
        if let Ok(key) = part.parse::<Verifier>() {
            assert_eq!(key.to_string().parse().as_ref(), Ok(&key), "a ledger's key is another when it is written");
        }
    }
}
