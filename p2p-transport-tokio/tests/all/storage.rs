//! Storage: one suite for what keeps files in memory and on disk, the walls of a folder, and disks that are full.

use crate::kit::{Hand, file, pattern};
use bytes::Bytes;
use p2p_core::hash::{Hasher, Sha1};
use p2p_core::{DigestKind, Digester, FileId, Input, IoError, Job, JobDone, RelPath, Root, Span};
use p2p_transport_tokio::{Memory, Options, Storage};

/// Has one job done by a driver.
async fn run(hand: &mut Hand, job: Job) -> JobDone {
    let id = hand.make(move |cx| cx.run(job.clone())).await;
    match hand.next().await {
        Input::Job(done, answer) if done == id => answer,
        other => panic!("{other:?}"),
    }
}

fn span(path: &str, offset: u64, len: usize) -> Span {
    Span { file: file(path), offset, len: len as u64 }
}

async fn write(hand: &mut Hand, spans: Vec<Span>, data: &[u8]) -> Result<(), IoError> {
    // In parts of odd sizes, as they come from a network.
    let data = data.chunks(1000).map(Bytes::copy_from_slice).collect();
    match run(hand, Job::Write { spans, data, digest: None }).await {
        JobDone::Written { result, digest: None } => result,
        other => panic!("{other:?}"),
    }
}

async fn read(hand: &mut Hand, spans: Vec<Span>) -> Result<Bytes, IoError> {
    match run(hand, Job::Read { spans }).await {
        JobDone::Read(result) => result,
        other => panic!("{other:?}"),
    }
}

async fn done(hand: &mut Hand, job: Job) -> Result<(), IoError> {
    match run(hand, job).await {
        JobDone::Done(result) => result,
        other => panic!("{other:?}"),
    }
}

async fn len(hand: &mut Hand, path: &str) -> Result<Option<u64>, IoError> {
    match run(hand, Job::Stat { file: file(path) }).await {
        JobDone::Stat(result) => result.map(|stat| stat.map(|stat| stat.len)),
        other => panic!("{other:?}"),
    }
}

async fn list(hand: &mut Hand, dir: &str, limit: u32) -> Result<Vec<(String, u64)>, IoError> {
    match run(hand, Job::List { dir: file(dir), limit }).await {
        JobDone::List(result) => {
            result.map(|all| all.into_iter().map(|entry| (entry.path, entry.stat.len)).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// What every storage must do. It has room for some megabytes, and is empty.
async fn suite(storage: impl Storage) {
    let mut hand = Hand::new(Options::default().with_storage(storage));
    spans(&mut hand).await;
    digests(&mut hand).await;
    whole_files(&mut hand).await;
    names(&mut hand).await;
    odd_ones(&mut hand).await;
}

/// Reads and writes over several files at once, holes, and what lies past an end.
async fn spans(hand: &mut Hand) {
    let data = pattern(10, 300_000);
    let across = || vec![span("d/one", 5, 100_000), span("d/deep/two", 0, 1), span("three", 7, 199_999)];
    assert_eq!(write(hand, across(), &data).await, Ok(()));
    assert!(read(hand, across()).await.unwrap() == data);
    assert_eq!(read(hand, vec![span("d/one", 0, 5)]).await.unwrap(), &[0; 5][..], "a hole reads as zeros");
    assert_eq!(len(hand, "three").await, Ok(Some(200_006)));
    assert_eq!(read(hand, vec![span("three", 200_000, 7)]).await, Err(IoError::Short));
    assert_eq!(read(hand, vec![span("three", u64::MAX - 3, 3)]).await.map(drop), Err(IoError::Short));
    assert_eq!(read(hand, vec![span("nowhere", 0, 1)]).await, Err(IoError::NotFound));
    assert_eq!(read(hand, Vec::new()).await.unwrap(), Bytes::new());
    // Padding: reads as zeros, and swallows what is written.
    let zeros = Span { file: FileId::zeros(), offset: 1 << 40, len: 3 };
    assert_eq!(write(hand, vec![span("d/deep/two", 0, 1), zeros.clone()], b"ABCD").await, Ok(()));
    let padded = read(hand, vec![span("d/deep/two", 0, 1), zeros]).await.unwrap();
    assert_eq!(padded, &b"A\0\0\0"[..]);
    // More data than spans, and more spans than data: what fits is written, and the rest is told of.
    assert_eq!(write(hand, vec![span("short", 0, 2)], b"abcd").await, Err(IoError::Short));
    assert_eq!(write(hand, vec![span("short", 0, 9)], b"xy").await, Err(IoError::Short));
    assert_eq!(len(hand, "short").await, Ok(Some(2)));
    let far = write(hand, vec![span("far", u64::MAX - 1, 4)], b"1234").await;
    assert_eq!(far, Err(IoError::NoSpace));
}

async fn digests(hand: &mut Hand) {
    let data = pattern(11, 400_000);
    let parts = || vec![span("dig/a", 0, 150_000), span("dig/b", 50, 250_000)];
    let mut digest = Digester::new(DigestKind::Sha1);
    digest.update(b"before");
    let job = Job::Write {
        spans: parts(),
        data: data.chunks(7777).map(Bytes::copy_from_slice).collect(),
        digest: Some(Box::new(digest)),
    };
    let wanted = |head: &[u8]| Sha1::digest(&[head, &data].concat());
    match run(hand, job).await {
        JobDone::Written { result: Ok(()), digest: Some(digest) } => {
            assert_eq!(digest.finish().as_ref(), wanted(b"before").as_ref(), "fed while it was written");
        }
        other => panic!("{other:?}"),
    }
    match run(hand, Job::DigestSpans { kind: DigestKind::Sha1, spans: parts() }).await {
        JobDone::Digest(Ok(digest)) => assert_eq!(digest.as_ref(), wanted(b"").as_ref()),
        other => panic!("{other:?}"),
    }
    let lost = Job::DigestSpans { kind: DigestKind::Sha1, spans: vec![span("dig/a", 0, 150_001)] };
    assert!(matches!(run(hand, lost).await, JobDone::Digest(Err(IoError::Short))));
    let given = Job::Digest { kind: DigestKind::Sha1, data: vec![Bytes::from(data.clone())] };
    match run(hand, given).await {
        JobDone::Digest(Ok(digest)) => assert_eq!(digest.as_ref(), wanted(b"").as_ref()),
        other => panic!("{other:?}"),
    }
}

async fn whole_files(hand: &mut Hand) {
    let at = || file("state/resume");
    let load = |limit| Job::Load { file: at(), limit };
    assert!(matches!(run(hand, load(10)).await, JobDone::Read(Err(IoError::NotFound))));
    for text in ["first", "a longer second", ""] {
        let job = Job::Replace { file: at(), data: Bytes::copy_from_slice(text.as_bytes()) };
        assert_eq!(done(hand, job).await, Ok(()));
        match run(hand, load(15)).await {
            JobDone::Read(Ok(data)) => assert_eq!(data, text),
            other => panic!("{other:?}"),
        }
        assert_eq!(done(hand, Job::Sync { file: at() }).await, Ok(()));
    }
    let job = Job::Replace { file: at(), data: Bytes::from_static(b"0123456789") };
    assert_eq!(done(hand, job).await, Ok(()));
    assert!(matches!(run(hand, load(9)).await, JobDone::Read(Err(IoError::Limit))));
    assert_eq!(list(hand, "state", 10).await, Ok(vec![("resume".to_owned(), 10)]), "and nothing temporary");
    assert_eq!(done(hand, Job::Sync { file: file("nowhere") }).await, Err(IoError::NotFound));
}

async fn names(hand: &mut Hand) {
    for (path, bytes) in
        [("tree/b/2", 2), ("tree/a", 1), ("tree/b/1", 11), ("tree-house", 4), ("tree/b.b", 3)]
    {
        assert_eq!(write(hand, vec![span(path, 0, bytes)], &vec![1; bytes]).await, Ok(()));
    }
    let all = [("a", 1), ("b.b", 3), ("b/1", 11), ("b/2", 2)].map(|(path, len)| (path.to_owned(), len));
    assert_eq!(list(hand, "tree", 4).await, Ok(all.to_vec()), "all levels, in order of their paths");
    assert_eq!(list(hand, "tree", 3).await, Err(IoError::Limit));
    assert_eq!(list(hand, "nowhere", 3).await, Err(IoError::NotFound));
    assert_eq!(list(hand, "tree/a", 3).await, Err(IoError::NotAFile));
    let rename = |from: &str, to: &str| Job::Rename { from: file(from), to: file(to) };
    assert_eq!(done(hand, rename("tree/b/1", "moved/far/away")).await, Ok(()));
    assert_eq!((len(hand, "tree/b/1").await, len(hand, "moved/far/away").await), (Ok(None), Ok(Some(11))));
    assert_eq!(done(hand, rename("moved/far/away", "tree/a")).await, Ok(()), "over another");
    assert_eq!(len(hand, "tree/a").await, Ok(Some(11)));
    assert_eq!(done(hand, rename("tree/a", "tree/a")).await, Ok(()), "onto itself");
    assert_eq!(len(hand, "tree/a").await, Ok(Some(11)));
    assert_eq!(done(hand, rename("nowhere", "tree/c")).await, Err(IoError::NotFound));
    let path = RelPath::from_parts(["x"]).unwrap();
    let elsewhere = Job::Rename { from: file("tree/a"), to: FileId::new(Root(1), path) };
    assert_eq!(done(hand, elsewhere).await, Err(IoError::Unsupported), "from root to root");
    // What is written after a rename goes to the new name's file, not to one still open under the old name.
    assert_eq!(write(hand, vec![span("tree/a", 0, 1)], b"Z").await, Ok(()));
    assert_eq!(done(hand, rename("tree/a", "tree/z")).await, Ok(()));
    assert_eq!(write(hand, vec![span("tree/a", 0, 1)], b"A").await, Ok(()));
    let both = read(hand, vec![span("tree/z", 0, 1), span("tree/a", 0, 1)]).await;
    assert_eq!(both.unwrap(), &b"ZA"[..]);
    let remove = |path: &str| Job::Remove { file: file(path) };
    assert_eq!(done(hand, remove("tree/b/2")).await, Ok(()));
    assert_eq!(done(hand, remove("tree/b/2")).await, Ok(()), "gone is gone");
    assert_eq!(list(hand, "tree/b", 9).await, Err(IoError::NotFound), "no empty folder is left");
    assert_eq!(read(hand, vec![span("tree/b/2", 0, 1)]).await, Err(IoError::NotFound));
}

async fn odd_ones(hand: &mut Hand) {
    let truncate = |path: &str, len| Job::Truncate { file: file(path), len };
    assert_eq!(done(hand, truncate("cut", 10)).await, Ok(()), "made if it is not there");
    assert_eq!(read(hand, vec![span("cut", 0, 10)]).await.unwrap(), &[0; 10][..]);
    assert_eq!(write(hand, vec![span("cut", 0, 10)], b"0123456789").await, Ok(()));
    assert_eq!(done(hand, truncate("cut", 4)).await, Ok(()));
    assert_eq!(done(hand, truncate("cut", 6)).await, Ok(()));
    assert_eq!(read(hand, vec![span("cut", 0, 6)]).await.unwrap(), &b"0123\0\0"[..]);
    // A name is a file or a folder, not both.
    let one = [1];
    assert_eq!(write(hand, vec![span("kind/file", 0, 1)], &one).await, Ok(()));
    assert_eq!(write(hand, vec![span("kind/file/below", 0, 1)], &one).await, Err(IoError::NotAFile));
    assert_eq!(write(hand, vec![span("kind", 0, 1)], &one).await, Err(IoError::NotAFile));
    assert_eq!(read(hand, vec![span("kind", 0, 1)]).await, Err(IoError::NotAFile));
    assert_eq!(len(hand, "kind").await, Err(IoError::NotAFile));
    let replace = Job::Replace { file: file("kind"), data: Bytes::from_static(b"x") };
    assert_eq!(done(hand, replace).await, Err(IoError::NotAFile));
    assert_eq!(done(hand, Job::Remove { file: file("kind") }).await, Err(IoError::NotAFile));
    assert_eq!(len(hand, "kind/file").await, Ok(Some(1)));
    // Also of names that only Unix can have.
    #[cfg(unix)]
    {
        let odd = |parts: &[&str]| Span {
            file: FileId::new(Root(0), RelPath::local(parts.iter().copied()).unwrap()),
            offset: 0,
            len: 1,
        };
        assert_eq!(write(hand, vec![odd(&["odd?"])], &one).await, Ok(()));
        assert_eq!(write(hand, vec![odd(&["odd?", "below"])], &one).await, Err(IoError::NotAFile));
    }
    // A root that nobody gave.
    #[cfg(feature = "password")]
    {
        let cost = p2p_core::Cost { memory: 8, passes: 1 };
        let derive = Job::Derive { password: Bytes::from_static(b"secret"), salt: [1; 16], cost };
        assert!(matches!(run(hand, derive).await, JobDone::Derived(Ok(_))));
    }
    #[cfg(not(feature = "password"))]
    {
        let cost = p2p_core::Cost::default();
        let derive = Job::Derive { password: Bytes::from_static(b"secret"), salt: [1; 16], cost };
        assert!(matches!(run(hand, derive).await, JobDone::Derived(Err(IoError::Unsupported))));
    }
}

#[tokio::test]
async fn memory_does_what_a_storage_must() {
    suite(Memory::new(8 << 20)).await;
}

#[tokio::test]
async fn memory_that_is_full_says_so_and_keeps_what_it_has() {
    let mut hand = Hand::new(Options::default().with_storage(Memory::new(1000)));
    assert_eq!(write(&mut hand, vec![span("a", 0, 900)], &[1; 900]).await, Ok(()));
    assert_eq!(write(&mut hand, vec![span("a", 500, 600)], &[2; 600]).await, Err(IoError::NoSpace));
    assert_eq!(write(&mut hand, vec![span("b", 0, 101)], &[2; 101]).await, Err(IoError::NoSpace));
    let replace = Job::Replace { file: file("a"), data: Bytes::from(vec![3; 1001]) };
    assert_eq!(done(&mut hand, replace).await, Err(IoError::NoSpace));
    assert_eq!(read(&mut hand, vec![span("a", 0, 900)]).await.unwrap(), &[1; 900][..]);
    assert_eq!(len(&mut hand, "b").await, Ok(None));
    // What goes makes room, and nothing is counted twice.
    assert_eq!(done(&mut hand, Job::Rename { from: file("a"), to: file("c") }).await, Ok(()));
    assert_eq!(write(&mut hand, vec![span("b", 0, 100)], &[2; 100]).await, Ok(()));
    assert_eq!(done(&mut hand, Job::Remove { file: file("c") }).await, Ok(()));
    assert_eq!(write(&mut hand, vec![span("b", 100, 900)], &[2; 900]).await, Ok(()));
    assert_eq!(write(&mut hand, vec![span("b", 1000, 1)], &[2; 1]).await, Err(IoError::NoSpace));
}

#[cfg(unix)]
mod folder {
    use super::*;
    use p2p_transport_tokio::{Folder, NotExclusive};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A folder of its own, gone when this is dropped.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("p2p-driver-{}-{number}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn a_folder_does_what_a_storage_must() {
        let scratch = Scratch::new();
        suite(Folder::new(scratch.path().join("made/on/the/way")).unwrap()).await;
    }

    #[tokio::test]
    async fn a_folder_that_may_keep_one_file_open_does_so_too() {
        let scratch = Scratch::new();
        suite(Folder::new(scratch.path()).unwrap().with_open_files(1)).await;
    }

    #[tokio::test]
    async fn a_folder_without_files_is_one() {
        let scratch = Scratch::new();
        fs::create_dir_all(scratch.path().join("empty/below")).unwrap();
        let mut hand = Hand::new(Options::default().with_storage(Folder::new(scratch.path()).unwrap()));
        assert_eq!(list(&mut hand, "empty", 9).await, Ok(vec![]));
        assert_eq!(list(&mut hand, "none", 9).await, Err(IoError::NotFound));
    }

    #[tokio::test]
    async fn roots_are_apart() {
        let scratch = Scratch::new();
        let folder = Folder::with_roots([scratch.path().join("0"), scratch.path().join("1")]).unwrap();
        let mut hand = Hand::new(Options::default().with_storage(folder));
        let at = |root| FileId::new(Root(root), RelPath::from_parts(["f"]).unwrap());
        for root in [0, 1] {
            let replace = Job::Replace { file: at(root), data: Bytes::from(vec![root as u8; 3]) };
            assert_eq!(done(&mut hand, replace).await, Ok(()));
        }
        assert_eq!(fs::read(scratch.path().join("0/f")).unwrap(), [0; 3]);
        assert_eq!(fs::read(scratch.path().join("1/f")).unwrap(), [1; 3]);
        let nowhere = Job::Replace { file: at(2), data: Bytes::new() };
        assert_eq!(done(&mut hand, nowhere).await, Err(IoError::NotFound), "no such root");
    }

    #[test]
    fn who_has_a_folder_for_itself_is_alone_until_it_is_gone() {
        let scratch = Scratch::new();
        let (a, b) = (scratch.path().join("a"), scratch.path().join("b"));
        let first = Folder::new(&a).unwrap().exclusive().unwrap();
        assert!(matches!(Folder::new(&a).unwrap().exclusive(), Err(NotExclusive::InUse)));
        // One root of two is enough, and the other one is not kept then.
        assert!(matches!(Folder::with_roots([&b, &a]).unwrap().exclusive(), Err(NotExclusive::InUse)));
        let other = Folder::new(&b).unwrap().exclusive().unwrap();
        drop(first);
        let again = Folder::new(&a).unwrap().exclusive();
        assert!(again.is_ok(), "{again:?}");
        drop((other, again));
        Folder::with_roots([&b, &a]).unwrap().exclusive().unwrap();
        assert_eq!(fs::read_dir(&a).unwrap().count(), 0, "nothing is left behind");
    }

    /// Every job that names a file, on this one.
    fn jobs(path: &str) -> Vec<Job> {
        let at = || file(path);
        let data = Bytes::from_static(b"evil");
        vec![
            Job::Read { spans: vec![span(path, 0, 1)] },
            Job::Write { spans: vec![span(path, 0, 4)], data: vec![data], digest: None },
            Job::DigestSpans { kind: DigestKind::Sha1, spans: vec![span(path, 0, 1)] },
            Job::Load { file: at(), limit: 100 },
            Job::Sync { file: at() },
            Job::Stat { file: at() },
            Job::Truncate { file: at(), len: 0 },
            Job::Remove { file: at() },
            Job::Rename { from: at(), to: file("elsewhere") },
        ]
    }

    fn error(done: JobDone) -> Option<IoError> {
        match done {
            JobDone::Read(result) => result.err(),
            JobDone::Written { result, .. } | JobDone::Done(result) => result.err(),
            JobDone::Digest(result) => result.err(),
            JobDone::Stat(result) => result.err(),
            JobDone::List(result) => result.err(),
            JobDone::Derived(result) => result.err(),
        }
    }

    #[tokio::test]
    async fn no_link_leads_out_of_the_root() {
        let scratch = Scratch::new();
        let (root, outside) = (scratch.path().join("root"), scratch.path().join("outside"));
        fs::create_dir_all(root.join("real")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        fs::write(root.join("real/file"), "mine").unwrap();
        // To a file and a folder outside, by relative and absolute paths, of what is and is not there, and inside.
        symlink(outside.join("secret"), root.join("file")).unwrap();
        symlink("../outside/secret", root.join("relative")).unwrap();
        symlink(&outside, root.join("folder")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink(outside.join("new"), root.join("dangling")).unwrap();
        symlink("real", root.join("inside")).unwrap();
        let mut hand = Hand::new(Options::default().with_storage(Folder::new(&root).unwrap()));
        let paths = [
            "file",
            "relative",
            "dangling",
            "folder/secret",
            "folder/new",
            "folder/deep/new",
            "up/outside/secret",
            "inside/file",
        ];
        for path in paths {
            for job in jobs(path) {
                let told = format!("{job:?}");
                assert_eq!(error(run(&mut hand, job).await), Some(IoError::Outside), "{told}");
            }
        }
        for path in ["folder/new", "up/new", "inside/new", "folder/deep/new"] {
            let replace = Job::Replace { file: file(path), data: Bytes::from_static(b"evil") };
            assert_eq!(done(&mut hand, replace).await, Err(IoError::Outside), "{path}");
            let rename = Job::Rename { from: file("real/file"), to: file(path) };
            assert_eq!(done(&mut hand, rename).await, Err(IoError::Outside), "{path}");
        }
        assert_eq!(list(&mut hand, "folder", 9).await, Err(IoError::Outside));
        assert_eq!(list(&mut hand, "up", 9).await, Err(IoError::Outside));
        // A whole file takes the place of a link, and what the link led to stays as it is.
        let replace = Job::Replace { file: file("file"), data: Bytes::from_static(b"mine") };
        assert_eq!(done(&mut hand, replace).await, Ok(()));
        assert_eq!(fs::read(root.join("file")).unwrap(), b"mine");
        let rename = Job::Rename { from: file("real/file"), to: file("relative") };
        assert_eq!(done(&mut hand, rename).await, Ok(()));
        let mut left: Vec<_> =
            fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.pop().unwrap(), "secret");
        assert!(left.is_empty(), "nothing was made outside: {left:?}");
        assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    }

    #[tokio::test]
    async fn a_link_that_takes_a_folders_place_is_not_followed() {
        // The folder was used before, and files in it are open.
        let scratch = Scratch::new();
        let (root, outside) = (scratch.path().join("root"), scratch.path().join("outside"));
        fs::create_dir_all(&outside).unwrap();
        let mut hand = Hand::new(Options::default().with_storage(Folder::new(&root).unwrap()));
        assert_eq!(write(&mut hand, vec![span("dir/a", 0, 1)], b"x").await, Ok(()));
        fs::rename(root.join("dir"), root.join("was")).unwrap();
        symlink(&outside, root.join("dir")).unwrap();
        assert_eq!(write(&mut hand, vec![span("dir/b", 0, 1)], b"x").await, Err(IoError::Outside));
        // The open file goes on to be the file that it was.
        assert_eq!(write(&mut hand, vec![span("dir/a", 0, 1)], b"y").await, Ok(()));
        assert_eq!(fs::read(root.join("was/a")).unwrap(), b"y");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_is_no_plain_file_is_refused_and_nobody_waits_for_it() {
        let scratch = Scratch::new();
        nix::sys::stat::mknod(
            &scratch.path().join("pipe"),
            nix::sys::stat::SFlag::S_IFIFO,
            nix::sys::stat::Mode::S_IRWXU,
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(scratch.path().join("socket")).unwrap();
        let mut hand = Hand::new(Options::default().with_storage(Folder::new(scratch.path()).unwrap()));
        let pipe = read(&mut hand, vec![span("pipe", 0, 1)]).await;
        assert_eq!(pipe, Err(IoError::NotAFile));
        assert_eq!(len(&mut hand, "pipe").await, Err(IoError::NotAFile));
        assert_eq!(len(&mut hand, "socket").await, Err(IoError::NotAFile));
        assert!(read(&mut hand, vec![span("socket", 0, 1)]).await.is_err());
    }

    #[tokio::test]
    async fn a_file_that_may_not_be_read_is_denied() {
        let scratch = Scratch::new();
        fs::write(scratch.path().join("f"), "x").unwrap();
        fs::set_permissions(scratch.path().join("f"), std::os::unix::fs::PermissionsExt::from_mode(0o0))
            .unwrap();
        if fs::read(scratch.path().join("f")).is_ok() {
            eprintln!("skipped: this user may read everything");
            return;
        }
        let mut hand = Hand::new(Options::default().with_storage(Folder::new(scratch.path()).unwrap()));
        assert_eq!(read(&mut hand, vec![span("f", 0, 1)]).await, Err(IoError::Denied));
    }

    /// Fills a disk until it refuses, and looks whether what was written before is still there.
    async fn fill(root: &Path) {
        const PART: usize = 64 * 1024;
        let mut hand = Hand::new(Options::default().with_storage(Folder::new(root).unwrap()));
        let replace = Job::Replace { file: file("resume"), data: Bytes::from_static(b"state") };
        assert_eq!(done(&mut hand, replace).await, Ok(()));
        let part = |n: usize| pattern(n as u64, PART);
        let mut written = 0;
        let refused = loop {
            let spans = vec![span("data", (written * PART) as u64, PART)];
            match write(&mut hand, spans, &part(written)).await {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
            assert!(written < 1000, "this disk is never full");
        };
        assert_eq!(refused, IoError::NoSpace);
        assert!(written > 0);
        let replace = Job::Replace { file: file("resume"), data: Bytes::from(vec![1; 2 << 20]) };
        assert_eq!(done(&mut hand, replace).await, Err(IoError::NoSpace));
        // All that was acknowledged is there: the parts, and the whole file that could not be replaced.
        for n in 0..written {
            let back = read(&mut hand, vec![span("data", (n * PART) as u64, PART)]).await.unwrap();
            assert!(back == part(n), "part {n}");
        }
        let load = Job::Load { file: file("resume"), limit: 9 };
        assert!(matches!(run(&mut hand, load).await, JobDone::Read(Ok(data)) if data == "state"));
        let names: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "nothing temporary is left: {names:?}");
        hand.running.stop().await;
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_loses_nothing() {
        let scratch = Scratch::new();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(scratch.path())
            .output();
        if !mount.is_ok_and(|mount| mount.status.success()) {
            eprintln!(
                "skipped: this user may not mount a small disk; the limit on file sizes is tested instead"
            );
            return;
        }
        let filled = tokio::spawn({
            let root = scratch.path().to_owned();
            async move { fill(&root).await }
        })
        .await;
        let unmounted = Command::new("umount").arg("-l").arg(scratch.path()).status();
        filled.unwrap();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }

    const INSIDE: &str = "P2P_DRIVER_TEST_FILE_LIMIT";

    #[test]
    fn files_that_may_not_grow_are_a_full_disk() {
        // The limit is on a whole process, so this test runs itself again in one that has it.
        if let Some(root) = std::env::var_os(INSIDE) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            return runtime.block_on(fill(Path::new(&root)));
        }
        let scratch = Scratch::new();
        let name = "storage::folder::files_that_may_not_grow_are_a_full_disk";
        // Blocks of 512 or 1024 bytes: the shells differ. The signal is ignored, so that the write fails.
        let script = "trap '' XFSZ; ulimit -f 1000 || exit 99; exec \"$0\" --exact --nocapture \"$1\"";
        let output = Command::new("sh")
            .args(["-c", script])
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(INSIDE, scratch.path())
            .output();
        match output {
            Ok(output) if output.status.code() == Some(99) => {
                eprintln!("skipped: no limit on file sizes here")
            }
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success() && text.contains("1 passed"), "{text}\n{output:?}");
            }
            Err(error) => eprintln!("skipped: no shell ({error})"),
        }
    }
}
