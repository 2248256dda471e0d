//! Appends that share commits and keep their order.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// Runs futures side by side; their first polls are in order, and the first poll of an append takes its place in the
/// journal's queue.
pub async fn all<'a, T>(
    futures: impl IntoIterator<Item = Pin<Box<dyn Future<Output = T> + Send + 'a>>>,
) -> Vec<T> {
    let mut begun = Vec::new();
    for mut future in futures {
        let done = std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Ready(None),
        })
        .await;
        begun.push((done, future));
    }
    let mut all = Vec::with_capacity(begun.len());
    for (done, future) in begun {
        all.push(match done {
            Some(done) => done,
            None => future.await,
        });
    }
    all
}
