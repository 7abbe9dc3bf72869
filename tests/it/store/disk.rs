//! Files, folders and disks that do not do what a store needs: each is named, with a way out.

use std::{error::Error, fs, os::unix::fs::PermissionsExt as _, path::Path};

use lifeboat::{
    port::{Disposition, Journal as _, StoreError},
    store::Sqlite,
};

use super::story::{at, lease, note, opened};

/// The whole chain of an error, as a face prints it.
fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut at: &dyn Error = error;
    while let Some(source) = at.source() {
        text = format!("{text}: {source}");
        at = source;
    }
    text
}

fn refused(path: &Path) -> String {
    chain(&Sqlite::open(path).expect_err("it cannot be opened"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn only_its_owner_can_read_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/deep/lifeboat.db");
    let store = Sqlite::open(&path).unwrap();
    lease(&store, "orders").await;
    assert_eq!(mode(&folder.path().join("new")), 0o700);
    assert_eq!(mode(&folder.path().join("new/deep")), 0o700);
    for file in ["lifeboat.db", "lifeboat.db-wal", "lifeboat.db-shm"] {
        assert_eq!(mode(&path.with_file_name(file)), 0o600, "{file}");
    }
}

#[test]
fn a_folder_that_is_a_file_is_named_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let told = refused(&folder.path().join("file/lifeboat.db"));
    assert!(told.starts_with("could not open the store "), "{told}");
    assert!(told.contains("/file cannot be made or used; make it, let this user write to it"), "{told}");
}

#[test]
fn a_store_that_is_a_folder_is_named_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let told = refused(folder.path());
    assert!(told.contains("cannot be made or opened; let this user read and write it"), "{told}");
}

/// `/proc/self` is read-only for everybody, root too.
#[test]
fn a_read_only_place_is_named_with_a_way_out() {
    let told = refused(Path::new("/proc/self/lifeboat.db"));
    assert!(told.contains("/proc/self/lifeboat.db cannot be made or opened; let this user"), "{told}");
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifeboat.db");
    let text = "this is a shopping list, not a database\n".repeat(200);
    fs::write(&path, &text).unwrap();
    let told = refused(&path);
    assert!(told.contains("is not a database of this program, or is damaged; move it away"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifeboat.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    let told = refused(&path);
    assert!(told.contains("is the database of another program; name another file"), "{told}");
    let tables: i64 = other.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifeboat.db");
    drop(Sqlite::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();
    let error = Sqlite::open(&path).unwrap_err();
    assert_eq!(error.disposition(), Disposition::AskHuman);
    let told = chain(&error);
    assert!(told.contains("was written by a newer lifeboat (schema 99; this one reads up to 3)"), "{told}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_store_of_an_older_version_is_brought_to_this_one_with_all_that_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifeboat.db");
    let store = Sqlite::open(&path).unwrap();
    let permit = lease(&store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    drop(store);
    // As the second version left it.
    let old = "ALTER TABLE runs DROP COLUMN drill; ALTER TABLE runs DROP COLUMN scheduled; PRAGMA user_version = 2;";
    rusqlite::Connection::open(&path).unwrap().execute_batch(old).unwrap();
    let store = Sqlite::open(&path).unwrap();
    let seen = store.runs(None).await.unwrap().remove(0);
    assert_eq!((seen.run, seen.drill, seen.scheduled), (run, None, None));
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifeboat.db");
    let store = Sqlite::open(&path).unwrap();
    let permit = lease(&store, "orders").await;
    let (run, _) = store.open(&permit, at(0), opened("orders", false)).await.unwrap();
    store.append(&permit, &run, 1, vec![(at(1), note(2))]).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute("UPDATE events SET body = '{\"event\":\"sang\"}' WHERE seq = 2", []).unwrap();
    let error = store.read(&run, 0).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::AskHuman);
    let told = chain(&error);
    assert!(told.starts_with("the store holds something unreadable: event 2 of run orders-1: "), "{told}");
}
