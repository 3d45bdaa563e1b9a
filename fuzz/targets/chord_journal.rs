//! The file in which a node keeps what it stores: any bytes are read without harm, and what is written over them is whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2p_chord::record::Record;
use p2p_chord::{Chord, Command, Config, Put};
use p2p_core::{Bytes, FileId, Input, Job, JobDone, RelPath, Root};
use p2p_fuzz::Bench;
use std::net::SocketAddr;

fn node() -> Bench<Chord> {
    let mut config = Config::default();
    config.listen = SocketAddr::from(([10, 0, 0, 1], 4_000));
    config.advertised = Some(config.listen);
    config.limits.bytes = 100_000;
    let name = RelPath::from_parts(["records"]).expect("a plain name");
    config.store = Some(FileId::new(Root(0), name));
    Bench::new(Chord::new(config), Vec::new())
}

/// Carries out the jobs on a file.
fn work(bench: &mut Bench<Chord>, file: &mut Vec<u8>) {
    while let Some((id, job)) = bench.next_job() {
        let done = match job {
            Job::Load { .. } => JobDone::Read(Ok(Bytes::copy_from_slice(file))),
            Job::Write { spans, data, .. } => {
                let data = data.concat();
                let end = spans[0].offset as usize + data.len();
                file.resize(file.len().max(end), 0);
                file[spans[0].offset as usize..end].copy_from_slice(&data);
                JobDone::Written { result: Ok(()), digest: None }
            }
            Job::Replace { data, .. } => {
                *file = data.to_vec();
                JobDone::Done(Ok(()))
            }
            _ => JobDone::Done(Ok(())),
        };
        bench.give(Input::Job(id, done));
    }
}

fuzz_target!(|bytes: &[u8]| {
    // What there is: a file of ours with these bytes in it, or just these bytes.
    let mut file = Vec::new();
    let (cut, junk) = bytes.split_first().map_or((0, bytes), |(cut, junk)| (usize::from(*cut), junk));
    let mut bench = node();
    work(&mut bench, &mut file);
    bench.bind();
    bench.ask(Command::Join(Vec::new()));
    for number in 0..4 {
        bench.ask(Command::Put(Put::new(Record::Value(vec![number; 40].into()))));
        work(&mut bench, &mut file);
    }
    assert_eq!(bench.machine.inner().store().len(), 4);
    file.truncate(cut.min(file.len()));
    file.extend_from_slice(junk);
    let mut bench = node();
    work(&mut bench, &mut file);
    let read = bench.machine.inner().store().len();
    assert!(read >= cut.min(file.len() - junk.len()) / 80, "{read} records of {cut} bytes");
    bench.bind();
    bench.ask(Command::Join(Vec::new()));
    bench.ask(Command::Put(Put::new(Record::Value(vec![9; 60].into()))));
    work(&mut bench, &mut file);
    let has: Vec<_> = bench.machine.inner().store().iter().cloned().collect();
    // Whoever reads it next has the same.
    let mut bench = node();
    work(&mut bench, &mut file);
    let again: Vec<_> = bench.machine.inner().store().iter().cloned().collect();
    assert_eq!(has, again);
});
