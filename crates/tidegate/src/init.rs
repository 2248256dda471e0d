//! `tidegate init`: a pair of nodes that know each other's public keys, each with keys of its own.

use std::net::SocketAddr;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::clock;
use crate::keys::{self, KeyError};

mod postgres;

pub use self::postgres::OnPostgres;

/// Where the nodes will listen.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// On-prem HTTP.
    pub http: SocketAddr,
    /// Cloud HTTP.
    pub cloud_http: SocketAddr,
    /// On-prem MLLP of EMR and laboratory.
    pub mllp: SocketAddr,
    /// On-prem MLLP of the pharmacy.
    pub pharmacy_mllp: SocketAddr,
    /// On-prem MLLP of the payer.
    pub payer_mllp: SocketAddr,
    /// Cloud link listener.
    pub link: SocketAddr,
}

impl Addresses {
    /// Addresses of a pair: pharmacy and payer have the two ports after `mllp`; `None` when there are no such ports.
    pub fn new(http: SocketAddr, cloud_http: SocketAddr, mllp: SocketAddr, link: SocketAddr) -> Option<Self> {
        let after = |count| Some(SocketAddr::new(mllp.ip(), mllp.port().checked_add(count)?));
        Some(Self { http, cloud_http, mllp, pharmacy_mllp: after(1)?, payer_mllp: after(2)?, link })
    }

    /// All of them.
    pub fn all(&self) -> [SocketAddr; 6] {
        let Self { http, cloud_http, mllp, pharmacy_mllp, payer_mllp, link } = *self;
        [http, cloud_http, mllp, pharmacy_mllp, payer_mllp, link]
    }
}

/// What the pair is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Real work.
    Site,
    /// A demo on one machine: loopback only, and the console may send made-up bad input.
    Demo,
}

/// Secrets that are shown once and stored only as hashes.
#[derive(Debug)]
pub struct Shown {
    /// Bearer token of the clinical role.
    pub onprem_token: String,
    /// Bearer token of the portal role.
    pub cloud_token: String,
    /// Bearer token of the on-prem node's admin API.
    pub admin_token: String,
    /// Bearer token of the on-prem node's `POST /hl7v2`; `None` when it was shown before and is not kept.
    pub hl7v2_token: Option<String>,
    /// Code of the one-time link to the on-prem console.
    pub login_code: String,
    /// Code of the one-time link to the cloud node's console.
    pub cloud_login_code: String,
    /// Secret of [`CLINICIAN`], who signs in to the authorization server of a demo; `None` of a site.
    pub clinician_secret: Option<String>,
}

/// Why a pair could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A file could not be written.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A certificate could not be made.
    #[error("certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// A signing key could not be made.
    #[error("signing key cannot be made")]
    Signing(#[from] audit::Error),
    /// A path that YAML cannot carry.
    #[error("path is not text")]
    Path,
}

/// Name under which the policy knows the cloud node that `init` makes.
pub const DESTINATION: &str = "cloud";
/// Name under which somebody signs in to the authorization server of a demo, as a practitioner.
pub const CLINICIAN: &str = "clinician";
/// The authorization server of a demo, and the origin of an app that is tried out with it.
const DEMO_SMART: &str = "smart:\n  server:\n    users: onprem/keys/smart-users\n    clients:\n      - id: demo-app\n        \
    name: Demo app\n        redirects: [\"http://127.0.0.1:8765/callback\", \"http://localhost:8765/callback\"]\n        \
    scopes: launch/patient openid fhirUser online_access offline_access patient/*.rs user/*.rs\n";
const DEMO_ORIGINS: &str = "  origins: [\"http://127.0.0.1:8765\", \"http://localhost:8765\"]\n";
/// Region of the cloud node that `init` makes.
pub const REGION: &str = "US";

/// Makes `DIR/onprem.yaml`, `DIR/cloud.yaml` and both nodes' key folders; refuses to overwrite any.
pub fn init(
    folder: &Path,
    addresses: &Addresses,
    mappings: &Path,
    profiles: &Path,
    purpose: Purpose,
) -> Result<Shown, InitError> {
    init_on(folder, addresses, mappings, profiles, purpose, None)
}

/// The same; the on-prem node keeps what it has in this database, whose server's certificate comes from the CA.
pub fn init_on(
    folder: &Path,
    addresses: &Addresses,
    mappings: &Path,
    profiles: &Path,
    purpose: Purpose,
    database: Option<(&OnPostgres, Option<&Path>)>,
) -> Result<Shown, InitError> {
    let (onprem, cloud) = (folder.join("onprem/keys"), folder.join("cloud/keys"));
    keys::make_folder(&onprem)?;
    keys::make_folder(&cloud)?;
    link_certificates(&onprem, &cloud, addresses)?;
    signing_keys(&onprem, &cloud)?;
    keys::write_new(&onprem, keys::NAMESPACE, uuid::Uuid::new_v4().to_string().as_bytes())?;
    let token = audit::TokenKey::generate()?;
    keys::write_new(&onprem, keys::PATIENT_TOKEN, token.to_file_text().as_bytes())?;
    for name in [keys::SEALING, keys::CURSOR] {
        keys::write_new(&onprem, name, clock::random_hex(32).as_bytes())?;
    }
    keys::write_new(&cloud, keys::CURSOR, clock::random_hex(32).as_bytes())?;
    let (onprem_token, cloud_token) = (clock::random_hex(24), clock::random_hex(24));
    keys::write_new(&onprem, keys::TOKENS, writing_line("demo", &onprem_token).as_bytes())?;
    keys::write_new(&cloud, keys::TOKENS, token_line("demo", &cloud_token).as_bytes())?;
    let admin_token = clock::random_hex(24);
    keys::write_new(&onprem, keys::ADMIN_TOKENS, token_line("operator", &admin_token).as_bytes())?;
    let hl7v2_token = clock::random_hex(24);
    keys::write_new(&onprem, keys::HL7V2_TOKENS, token_line("sender", &hl7v2_token).as_bytes())?;
    let hl7v2_token = Some(hl7v2_token);
    let clinician_secret = (purpose == Purpose::Demo).then(|| clock::random_hex(24));
    if let Some(secret) = &clinician_secret {
        let line = format!("{CLINICIAN} {} Practitioner/demo\n", keys::sha256_hex(secret));
        keys::write_new(&onprem, keys::SMART_USERS, line.as_bytes())?;
    }
    let (login_code, cloud_login_code) = login_codes(folder)?;
    let store = match database {
        Some((database, ca)) => database.yaml(ca.map(yaml_path).transpose()?.as_deref()),
        None => String::new(),
    };
    configurations(folder, addresses, mappings, profiles, purpose, &store)?;
    Ok(Shown {
        onprem_token,
        cloud_token,
        admin_token,
        hl7v2_token,
        login_code,
        cloud_login_code,
        clinician_secret,
    })
}

/// New codes of the one-time links to both consoles (on-prem, cloud); older ones open nothing any more.
pub fn login_codes(folder: &Path) -> Result<(String, String), InitError> {
    let codes = (clock::random_hex(24), clock::random_hex(24));
    for (node, code) in [("onprem", &codes.0), ("cloud", &codes.1)] {
        let hash = keys::sha256_hex(code);
        keys::replace(&folder.join(node).join("keys"), keys::LOGIN, hash.as_bytes())?;
    }
    Ok(codes)
}

/// The line of a token that may change resources.
fn writing_line(client: &str, token: &str) -> String {
    format!("{client} {} write\n", keys::sha256_hex(token))
}

fn token_line(client: &str, token: &str) -> String {
    format!("{client} {}\n", keys::sha256_hex(token))
}

/// A CA of the link's own; one certificate for each end, each good for its direction only.
fn link_certificates(onprem: &Path, cloud: &Path, addresses: &Addresses) -> Result<(), InitError> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "Tidegate link CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate = ca.self_signed(&ca_key)?;
    keys::write_new(onprem, keys::LINK_CA_KEY, ca_key.serialize_pem().as_bytes())?;
    for folder in [onprem, cloud] {
        keys::write_new(folder, keys::LINK_CA, ca_certificate.pem().as_bytes())?;
    }
    let issuer = Issuer::new(ca, ca_key);
    let server_names = vec![addresses.link.ip().to_string(), "localhost".to_owned()];
    let ends = [
        (onprem, "onprem", vec!["onprem".to_owned()], ExtendedKeyUsagePurpose::ClientAuth),
        (cloud, "cloud", server_names, ExtendedKeyUsagePurpose::ServerAuth),
    ];
    for (folder, name, names, usage) in ends {
        let key = KeyPair::generate()?;
        let mut end = CertificateParams::new(names)?;
        end.distinguished_name.push(DnType::CommonName, name);
        end.extended_key_usages = vec![usage];
        end.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate = end.signed_by(&key, &issuer)?;
        keys::write_new(folder, keys::LINK_CERTIFICATE, certificate.pem().as_bytes())?;
        keys::write_new(folder, keys::LINK_KEY, key.serialize_pem().as_bytes())?;
    }
    Ok(())
}

/// Ledger keys of both, the receipt key of the cloud; each side pins the other's public half.
fn signing_keys(onprem: &Path, cloud: &Path) -> Result<(), InitError> {
    let onprem_ledger = audit::SigningKey::generate("onprem")?;
    let cloud_ledger = audit::SigningKey::generate("cloud")?;
    let receipt = audit::SigningKey::generate("cloud-receipt")?;
    keys::write_new(onprem, keys::LEDGER, onprem_ledger.to_file_text().as_bytes())?;
    keys::write_new(onprem, keys::LEDGER_PUBLIC, onprem_ledger.public().to_text().as_bytes())?;
    keys::write_new(cloud, keys::PEER_LEDGER_PUBLIC, onprem_ledger.public().to_text().as_bytes())?;
    keys::write_new(cloud, keys::LEDGER, cloud_ledger.to_file_text().as_bytes())?;
    keys::write_new(cloud, keys::LEDGER_PUBLIC, cloud_ledger.public().to_text().as_bytes())?;
    keys::write_new(cloud, keys::RECEIPT, receipt.to_file_text().as_bytes())?;
    keys::write_new(onprem, keys::RECEIPT_PUBLIC, receipt.public().to_text().as_bytes())?;
    Ok(())
}

fn configurations(
    folder: &Path,
    addresses: &Addresses,
    mappings: &Path,
    profiles: &Path,
    purpose: Purpose,
    store: &str,
) -> Result<(), InitError> {
    let (mappings, profiles) = (yaml_path(mappings)?, yaml_path(profiles)?);
    let Addresses { http, cloud_http, mllp, pharmacy_mllp, payer_mllp, link } = addresses;
    let (demo, smart, origins) = match purpose {
        Purpose::Demo => ("demo: true\n", DEMO_SMART, DEMO_ORIGINS),
        Purpose::Site => ("", "", ""),
    };
    let onprem = format!(
        "# On-prem node: holds identified data, dials out, is dialled by nobody beyond this network.\n\
         role: clinical\nnode: onprem\ndata: onprem/data\nkeys: onprem/keys\nhttp:\n  listen: \"{http}\"\n{origins}mllp:\n\
         \x20 - name: emr\n    listen: \"{mllp}\"\n  - name: pharmacy\n    listen: \"{pharmacy_mllp}\"\n\
         \x20 - name: payer\n    listen: \"{payer_mllp}\"\nmappings: {mappings}\nprofiles: {profiles}\ndestinations:\n\
         \x20 {DESTINATION}:\n    address: \"{link}\"\n{demo}{smart}{store}"
    );
    let cloud = format!(
        "# Cloud node: takes what an on-prem node releases, never identified data.\n\
         role: portal\nnode: cloud\ndata: cloud/data\nkeys: cloud/keys\nhttp:\n  listen: \"{cloud_http}\"\n\
         profiles: {profiles}\nlink:\n  listen: \"{link}\"\n  destination: {DESTINATION}\n  region: {REGION}\n"
    );
    keys::write_new(folder, "onprem.yaml", onprem.as_bytes())?;
    keys::write_new(folder, "cloud.yaml", cloud.as_bytes())?;
    Ok(())
}

/// A path as a double-quoted YAML scalar.
fn yaml_path(path: &Path) -> Result<String, InitError> {
    path.to_str().map(postgres::quoted).ok_or(InitError::Path)
}
