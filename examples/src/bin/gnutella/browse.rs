//! `gnutella browse`: all that a servent shares.

use crate::INTERRUPTED;
use crate::args::{Browse, Network};
use crate::session::{self, Session};
use p2p_examples::units::Size;
use p2p_examples::{Failure, Line, Output, Stop, Table, escape};
use p2p_gnutella::servent::{Command, Event};
use p2p_gnutella::transfer;
use p2p_gnutella::{Magnet, Urn};
use std::process::ExitCode;

/// A file of somebody.
struct Listed {
    name: String,
    size: u64,
    link: Option<Magnet>,
}

pub(crate) async fn run(args: &Browse, out: &mut Output, stop: &Stop) -> Result<ExitCode, Failure> {
    // No part of any network: who shares is asked, and nobody else.
    let nobody = Network::default();
    let mut config = session::guest(&nobody, None);
    (config.listen, config.udp) = (None, false);
    let session = Session::start(config, session::options(&[""; 0], &nobody)?, out).await?;
    let asked = session.answers(Command::Transfer(transfer::Command::Browse(args.servent)));
    let answers = tokio::select! {
        answers = asked => Some(answers),
        () = stop.asked() => None,
    };
    session.stop().await;
    let Some(answers) = answers else { return Ok(ExitCode::from(INTERRUPTED)) };
    let files = listed(answers?, args);
    show(&files, args, out);
    Ok(ExitCode::SUCCESS)
}

fn listed(answers: Vec<Event>, args: &Browse) -> Vec<Listed> {
    let mut files = Vec::new();
    for answer in answers {
        let Event::Transfer(transfer::Event::Listed(hit)) = answer else { continue };
        files.extend(hit.records.iter().map(|record| {
            let name = String::from_utf8_lossy(record.name).into_owned();
            let link = record.sha1().map(|sha1| {
                let urn = Urn::Sha1(sha1);
                let mut link = Magnet::new(urn);
                (link.name, link.size) = (Some(name.clone()), Some(record.size()));
                link.sources.push(format!("http://{}/uri-res/N2R?{urn}", args.servent));
                link
            });
            Listed { name, size: record.size(), link }
        }));
    }
    files
}

fn show(files: &[Listed], args: &Browse, out: &mut Output) {
    let mut table = Table::new(["size", "name", "link"]).right(0);
    for file in files {
        let line = Line::new("file").text("name", &file.name).number("size", file.size);
        out.event(match &file.link {
            Some(link) => line.text("link", link),
            None => line,
        });
        let link = file.link.as_ref().map_or_else(String::new, Magnet::to_string);
        table = table.row([
            Size(file.size).to_string(),
            escape::name(&file.name).to_string(),
            escape::text_of(&link, 4_000).to_string(),
        ]);
    }
    out.event(Line::new("listed").number("files", files.len() as u64));
    if files.is_empty() {
        out.note(format_args!("{} shares nothing", args.servent));
    } else {
        out.say(table);
    }
}
