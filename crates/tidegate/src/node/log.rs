//! Logs: to stderr, route templates, ids, codes and counts only. Debug lines of framing and HTTP crates can hold
//! content, so those crates never log below a warning, whatever the level.

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::config::{Log, LogFormat, LogLevel};

/// Crates of other people that may see content.
const QUIET: [&str; 8] = ["hyper", "hyper_util", "axum", "tower", "h2", "rustls", "tokio_rustls", "sqlx"];

/// Installs the process's subscriber; a second call changes nothing.
pub fn start(log: Log) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let filter = QUIET.iter().fold(Targets::new().with_default(level), |filter, target| {
        filter.with_target(*target, level.min(LevelFilter::WARN))
    });
    let subscriber: Box<dyn Subscriber + Send + Sync> = match log.format {
        LogFormat::Json => {
            let layer = tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr);
            Box::new(tracing_subscriber::registry().with(layer.with_filter(filter)))
        }
        LogFormat::Text => {
            let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
            Box::new(tracing_subscriber::registry().with(layer.with_filter(filter)))
        }
    };
    // Already set: a test process that runs several nodes.
    drop(tracing::subscriber::set_global_default(subscriber));
}
