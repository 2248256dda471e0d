//! `tidegate gen`: a seeded, synthetic feed on stdout, segments ended by CR as HL7 has them.

use super::output;
use crate::cli::GenArgs;
use crate::generate::Feed;
use crate::{Exit, Failure};

/// Runs the command.
pub fn run(args: &GenArgs) -> Result<(), Failure> {
    let Some(people) = args.people else {
        return Feed::new(args.seed)
            .take(args.count)
            .try_for_each(|message| output::data(message.er7.as_bytes()));
    };
    let (messages, sent) = Feed::of_people(args.seed, people);
    if let Some(file) = &args.manifest {
        let text = serde_json::to_vec_pretty(&sent).map_err(|error| Failure::because(Exit::Io, &error))?;
        std::fs::write(file, text)
            .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", file.display())))?;
    }
    messages.iter().try_for_each(|message| output::data(message.er7.as_bytes()))
}
