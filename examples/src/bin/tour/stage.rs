//! What the tour does with any system: join, publish, search where that can be done, fetch.

use p2p_core::system::{Item, Locator, System};
use p2p_examples::progress::Figures;
use p2p_examples::units::Size;
use p2p_examples::{Failure, Output};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a system did, as columns of the table.
pub(crate) type Row = [String; 5];

/// What a word of the content's name is in every system that can be searched.
pub(crate) const WORD: &str = "blue";

/// A system set up on loopback, with all that differs between one system and the next.
pub(crate) struct Stage {
    /// Nodes of it; the first one has the content.
    pub(crate) nodes: Vec<Arc<dyn System>>,
    /// Whom they join, and what the table says of it.
    pub(crate) bootstrap: String,
    pub(crate) joined: String,
    /// What the first node publishes, and what the table says of it.
    pub(crate) item: Item,
    pub(crate) published: String,
    /// What the others fetch it by, if it is not to be searched for.
    pub(crate) locator: Locator,
    pub(crate) content: Arc<[u8]>,
    /// Stops all that runs.
    pub(crate) stop: Pin<Box<dyn Future<Output = ()>>>,
}

impl Stage {
    /// Goes through all that the system has, and says what came of it.
    pub(crate) async fn play(self, out: &mut Output) -> Result<Row, Failure> {
        let Some((first, others)) = self.nodes.split_first() else {
            return Err(Failure::new("nobody is on the stage"));
        };
        let (name, can) = (first.name(), first.abilities());
        if can.join {
            for node in &self.nodes {
                node.join(&self.bootstrap).await.map_err(Failure::new)?;
            }
        }
        if can.publish.is_some() {
            first.publish(self.item).await.map_err(Failure::new)?;
            out.note(format_args!(
                "{name}: {} of {WORD}, {}",
                Size(self.content.len() as u64),
                self.published
            ));
        }
        let mut locator = self.locator;
        let mut found = String::from("(no search)");
        if can.search
            && let Some(node) = others.first()
        {
            let mut hits = node.search(WORD).map_err(Failure::new)?;
            let mut count = 0;
            while let Some(hit) = hits.try_next().await.map_err(Failure::new)? {
                count += 1;
                locator = hit.locator;
            }
            found = format!("\"{WORD}\" {}", many(count, "hit"));
        }
        let mut fetched = String::from("(no fetch)");
        if can.fetch {
            fetch_all(others, &locator, &self.content, out).await?;
            let len = Size(self.content.len() as u64);
            fetched = match others.len() {
                1 => format!("{len} from a peer"),
                peers => format!("{len} by each of {peers} peers"),
            };
        }
        self.stop.await;
        Ok([name.into(), self.joined, self.published, found, fetched])
    }
}

fn many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Lets nodes fetch side by side until each has the whole content, byte for byte.
async fn fetch_all(
    nodes: &[Arc<dyn System>],
    locator: &Locator,
    content: &Arc<[u8]>,
    out: &mut Output,
) -> Result<(), Failure> {
    let (tell, mut told) = mpsc::channel(64);
    let mut tasks = Vec::new();
    for node in nodes {
        tasks.push(tokio::spawn(fetch(Arc::clone(node), locator.clone(), Arc::clone(content), tell.clone())));
    }
    drop(tell);
    let mut done = 0;
    while let Some(more) = told.recv().await {
        done += more;
        let all = (nodes.len() * content.len()) as u64;
        out.progress(&Figures { doing: "fetching", done, all, ..Figures::default() }, |_| false);
    }
    for task in tasks {
        task.await.map_err(Failure::new)??;
    }
    Ok(())
}

async fn fetch(
    node: Arc<dyn System>,
    locator: Locator,
    content: Arc<[u8]>,
    tell: mpsc::Sender<u64>,
) -> Result<(), Failure> {
    let mut chunks = node.fetch(&locator).map_err(Failure::new)?;
    let mut at = 0;
    while let Some(chunk) = chunks.try_next().await.map_err(Failure::new)? {
        let expected = content.get(at..at + chunk.data.len());
        if chunk.offset != at as u64 || expected != Some(&chunk.data[..]) {
            return Err(Failure::new(format_args!("what was fetched differs from byte {at} on")));
        }
        at += chunk.data.len();
        // Whoever draws the progress may have given up, which the tasks' results say.
        let _ = tell.send(chunk.data.len() as u64).await;
    }
    if at == content.len() { Ok(()) } else { Err(Failure::new(format_args!("it ended after {at} bytes"))) }
}
