//! Everything this crate logs: addresses, connection numbers, sizes and error kinds. Never content.

use std::io;
use std::net::SocketAddr;

use crate::handler::{ConnectionRefusal, Peer};

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    ByPeer,
    Refused,
    FrameTimeout,
    Idle,
    WriteTimeout,
    WriteFailed,
    ReadFailed,
    HandlerPanicked,
    ByHandler,
    Draining,
    Replaced,
}

pub(crate) fn connection_opened(peer: &Peer) {
    tracing::debug!(peer = %peer.address, connection = peer.connection, tls = peer.certificate.is_some(), "connection opened");
}

pub(crate) fn connection_closed(peer: &Peer, reason: Closed, frames: u64, undelivered: u64) {
    let (address, connection) = (peer.address, peer.connection);
    match reason {
        Closed::ByPeer | Closed::Idle | Closed::ByHandler | Closed::Draining | Closed::Replaced
            if undelivered == 0 =>
        {
            tracing::debug!(peer = %address, connection, ?reason, frames, "connection closed");
        }
        _ => tracing::warn!(peer = %address, connection, ?reason, frames, undelivered, "connection closed"),
    }
}

pub(crate) fn connection_refused(address: SocketAddr, reason: ConnectionRefusal) {
    tracing::warn!(peer = %address, ?reason, "connection refused");
}

/// Once for a connection: a sender that leaves the byte out does so each time.
pub(crate) fn frame_without_cr(peer: &Peer) {
    tracing::warn!(peer = %peer.address, connection = peer.connection, "frame ended without carriage return");
}

/// Release 2: the peer did not take an answer into safe storage.
pub(crate) fn answer_not_committed(peer: &Peer) {
    tracing::warn!(peer = %peer.address, connection = peer.connection, "peer did not store an answer");
}

pub(crate) fn handler_panicked(peer: &Peer) {
    tracing::error!(peer = %peer.address, connection = peer.connection, "frame handler panicked");
}

pub(crate) fn reply_not_encodable(peer: &Peer) {
    tracing::error!(peer = %peer.address, connection = peer.connection, "reply holds a frame byte and is not sent");
}

pub(crate) fn accept_failed(error: &io::Error) {
    tracing::warn!(kind = ?error.kind(), "connection could not be accepted");
}

pub(crate) fn socket_option_failed(address: SocketAddr, error: &io::Error) {
    tracing::debug!(peer = %address, kind = ?error.kind(), "socket option could not be set");
}

pub(crate) fn connection_task_failed() {
    tracing::error!("connection task ended by panic");
}

pub(crate) fn reply_junk(address: &str, count: u64) {
    tracing::debug!(peer = address, count, "bytes outside of frames in replies");
}
