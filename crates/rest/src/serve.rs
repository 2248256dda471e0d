//! Accept loops: HTTP/1.1 in clear or inside TLS, with limits, ending only after the open requests did.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::capacity::{
    ACCEPT_PAUSE, CONNECTIONS_MAX, DRAIN_TIMEOUT, FIELDS_READ_MAX, HANDSHAKE_TIMEOUT, HEAD_READ_BYTES_MAX,
    HEADER_TIMEOUT,
};
use crate::error::Error;

/// SHA-256 of the certificate that a peer proved to hold, in the extensions of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerCertificate(pub [u8; 32]);

/// Serves a router in clear until `shutdown` ends; returns when the open requests are answered, or cut off after 10 s.
///
/// # Errors
/// [`Error::Listener`] when the listener is not usable.
pub async fn serve_plain(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    serve(listener, None, router, shutdown).await
}

/// As [`serve_plain`], inside TLS. Client certificates are the configuration's matter (the link needs a client
/// verifier that trusts the link CA alone); what one proved is in the extensions as [`PeerCertificate`].
///
/// # Errors
/// [`Error::Listener`] when the listener is not usable.
pub async fn serve_tls(
    listener: TcpListener,
    mut configuration: ServerConfig,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
    serve(listener, Some(TlsAcceptor::from(Arc::new(configuration))), router, shutdown).await
}

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    listener.local_addr().map_err(Error::Listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, peer, place) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => match accepted {
                Some(accepted) => accepted,
                None => continue,
            },
        };
        let (tls, router, stopped) = (tls.clone(), router.clone(), stopped.clone());
        connections.spawn(async move {
            let _place = place;
            connection(stream, peer, tls, router, stopped).await;
        });
    }
    drop(listener);
    // No receiver is left when no connection is open.
    let _ = stop.send(true);
    let drained =
        tokio::time::timeout(DRAIN_TIMEOUT, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!(open = connections.len(), "connections are cut off at shutdown");
    }
    Ok(())
}

/// Waits for a free place first, so that a full node leaves new peers in the accept queue.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(error = %error, "a connection is not accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    stopped: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "a connection keeps its delay");
    }
    let Some(acceptor) = tls else {
        return exchange(stream, peer, None, router, stopped).await;
    };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let certificate = certificates.and_then(<[_]>::first).map(|certificate| fingerprint(certificate));
            exchange(stream, peer, certificate, router, stopped).await;
        }
        Ok(Err(error)) => tracing::warn!(error = %error, "a TLS handshake failed"),
        Err(_elapsed) => tracing::warn!("a TLS handshake took too long"),
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    certificate: Option<PeerCertificate>,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(certificate) = certificate {
            request.extensions_mut().insert(certificate);
        }
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEAD_READ_BYTES_MAX)
        .max_headers(FIELDS_READ_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = wait(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended early");
    }
}

fn fingerprint(certificate: &[u8]) -> PeerCertificate {
    let mut hash = [0; 32];
    // SHA-256 is 32 bytes, so the lengths are equal.
    hash.copy_from_slice(digest(&SHA256, certificate).as_ref());
    PeerCertificate(hash)
}

/// Until shutdown begins; a sender that is gone means the same.
async fn wait(stopped: &mut watch::Receiver<bool>) {
    while !*stopped.borrow_and_update() {
        if stopped.changed().await.is_err() {
            return;
        }
    }
}
