//! Short programs to begin with, one in each file: `cargo run --example recipes -- fetch FILE.torrent FOLDER`.
mod fetch;
mod fetch_one_file;
mod list_files;
mod pause_and_remove;
mod progress;
mod seed;
mod stream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("fetch") => fetch::run().await,
        Some("fetch_one_file") => fetch_one_file::run().await,
        Some("list_files") => list_files::run(),
        Some("pause_and_remove") => pause_and_remove::run().await,
        Some("progress") => progress::run().await,
        Some("seed") => seed::run().await,
        Some("stream") => stream::run().await,
        _ => Err("which recipe?".into()),
    }
}
