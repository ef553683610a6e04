//! The file: whose it is, who may read it, what is damaged, who writes at the same time.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Opens a file that must be refused, both ways, and sees that not a byte of it changed.
fn refused(path: &Path) -> Error {
    let before = std::fs::read(path).unwrap();
    let read_only = Store::open_read_only(path).unwrap_err();
    let error = Store::open(path).unwrap_err();
    assert_eq!(error.exit_code(), read_only.exit_code());
    assert_eq!(std::fs::read(path).unwrap(), before);
    error
}

#[test]
fn nobody_else_can_read_the_database() {
    let dir = TempDir::new().unwrap();
    let path = path(&dir);
    let mut store = Store::open(&path).unwrap();
    store.commit(&decision()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
    drop(store);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    Store::open(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn what_is_not_ours_or_newer_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = path(&dir);
    let missing = Store::open_read_only(&path).unwrap_err();
    assert!(matches!(missing, Error::Missing { .. }), "{missing}");

    Store::open(&path).unwrap();
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("PRAGMA user_version = 99; PRAGMA journal_mode = DELETE;")
        .unwrap();
    drop(raw);
    let error = refused(&path);
    assert!(matches!(error, Error::Newer { found: 99, .. }), "{error}");
    assert_eq!((error.exit_code(), error.fault()), (78, Fault::Operator));
    assert!(error.hint().is_some());

    let other = dir.path().join("other.db");
    let raw = Connection::open(&other).unwrap();
    raw.execute_batch("CREATE TABLE t (x); PRAGMA user_version = 1;")
        .unwrap();
    drop(raw);
    assert!(matches!(refused(&other), Error::Foreign { .. }));

    let text = dir.path().join("text");
    std::fs::write(&text, "mode = \"observe\"\n".repeat(100)).unwrap();
    let error = refused(&text);
    assert_eq!(error.exit_code(), 65, "{error}");
}

#[test]
fn damage_is_found_and_named() {
    let dir = TempDir::new().unwrap();
    let path = path(&dir);
    let mut store = Store::open(&path).unwrap();
    let mut commit = decision();
    commit.checkpoint.senders = (0..500_u32)
        .map(|n| (n.to_be_bytes().to_vec(), vec![1; 500]))
        .collect();
    store.commit(&commit).unwrap();
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let store = Store::open_read_only(&path);
    let error = store.and_then(|store| store.check()).unwrap_err();
    assert_eq!(error.exit_code(), 65, "{error}");
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn two_writers_wait_for_one_another() {
    let dir = TempDir::new().unwrap();
    let path = path(&dir);
    Store::open(&path).unwrap();
    let workers: Vec<_> = (0..4_u64)
        .map(|worker| {
            let path = path.clone();
            std::thread::spawn(move || {
                let mut store = Store::open(&path).unwrap();
                for n in 1..=25 {
                    let incidents = vec![incident(worker * 100 + n)];
                    store
                        .commit(&Commit {
                            incidents,
                            ..Commit::default()
                        })
                        .unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    let store = Store::open(&path).unwrap();
    assert_eq!(store.incidents(&Filter::default()).unwrap().len(), 100);
}
