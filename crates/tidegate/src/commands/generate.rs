//! `tidegate gen`: a seeded, synthetic feed on stdout, segments ended by CR as HL7 has them.

use super::output;
use crate::cli::{GenArgs, GenFeed};
use crate::generate::{Feed, System, sent};
use crate::{Exit, Failure};

/// Runs the command.
pub fn run(args: &GenArgs) -> Result<(), Failure> {
    let mut feed = Feed::new(args.seed).only(systems(args.feed));
    let Some(people) = args.people else {
        return feed.take(args.count).try_for_each(|message| output::data(message.er7.as_bytes()));
    };
    let messages: Vec<_> = (0..people).flat_map(|_| feed.episode().messages).collect();
    if let Some(file) = &args.manifest {
        let text = serde_json::to_vec_pretty(&sent(&messages))
            .map_err(|error| Failure::because(Exit::Io, &error))?;
        std::fs::write(file, text)
            .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", file.display())))?;
    }
    messages.iter().try_for_each(|message| output::data(message.er7.as_bytes()))
}

fn systems(feed: GenFeed) -> &'static [System] {
    match feed {
        GenFeed::Emr => &[System::Emr],
        GenFeed::Lab => &[System::Laboratory],
        GenFeed::Pharmacy => &[System::Pharmacy],
        GenFeed::Payer => &[System::Payer],
        GenFeed::All => &System::ALL,
    }
}
