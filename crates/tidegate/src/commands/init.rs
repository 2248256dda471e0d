//! `tidegate init`: makes a pair of nodes and shows their secrets once.

use super::output;
use crate::cli::InitArgs;
use crate::init::{Addresses, Purpose, init_on};
use crate::{Exit, Failure};

/// Runs the command.
pub fn run(args: &InitArgs) -> Result<(), Failure> {
    let addresses = Addresses::new(args.http, args.cloud_http, args.mllp, args.link)
        .ok_or_else(|| Failure::new(Exit::Usage, "--mllp leaves no two ports for pharmacy and payer"))?;
    let absolute = |path: &std::path::Path| {
        std::path::absolute(path)
            .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", path.display())))
    };
    let (mappings, profiles) = (absolute(&args.mappings)?, absolute(&args.profiles)?);
    let ca = args.postgres_ca.as_deref().map(absolute).transpose()?;
    let database = args.postgres.as_ref().map(|database| (database, ca.as_deref()));
    let shown = init_on(&args.folder, &addresses, &mappings, &profiles, Purpose::Site, database)
        .map_err(|error| Failure::because(Exit::Configuration, &error))?;
    if let Some(file) = args.postgres.as_ref().and_then(|database| database.password_file(&args.folder)) {
        output::words(&format!("Write the password of the database into {}, mode 0600.", file.display()));
    }
    let folder = args.folder.display();
    output::words(&format!(
        "Made {folder}/onprem.yaml and {folder}/cloud.yaml. Move cloud.yaml and cloud/ to the cloud host; its keys\n\
         belong there alone. These secrets are stored only as hashes and shown once:"
    ));
    output::line(&format!("onprem_token {}", shown.onprem_token))?;
    output::line(&format!("cloud_token {}", shown.cloud_token))?;
    output::line(&format!("admin_token {}", shown.admin_token))?;
    if let Some(token) = &shown.hl7v2_token {
        output::line(&format!("hl7v2_token {token}"))?;
    }
    output::line(&format!("onprem_login http://{}/login?code={}", args.http, shown.login_code))?;
    output::line(&format!("cloud_login http://{}/login?code={}", args.cloud_http, shown.cloud_login_code))
}
