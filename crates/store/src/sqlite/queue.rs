//! The queue before a writer: requests wait, a batch takes what is there.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::fault::unavailable;
use crate::Result;

/// Requests that wait for a writer; more wait at the sender.
pub(super) const QUEUED_MAX: usize = 4_096;
/// Rows after which a batch closes.
pub(super) const BATCH_ROWS_MAX: usize = 256;
/// Bytes after which a batch closes.
pub(super) const BATCH_BYTES_MAX: usize = 1 << 20;

/// Where the answer to a request goes. Nobody may wait for it any more: the write stands all the same.
pub(super) type Reply<T> = oneshot::Sender<Result<T>>;

/// A request with its size.
pub(super) trait Weighted {
    /// Rows and bytes that it adds to a batch.
    fn weight(&self) -> (usize, usize);
}

/// The sending end of a writer's queue.
#[derive(Debug)]
pub(super) struct Queue<R> {
    sender: Mutex<Option<mpsc::Sender<R>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl<R: Send + 'static> Queue<R> {
    /// A queue whose receiving end `writer` drains until it is closed.
    pub fn start<F>(writer: impl FnOnce(mpsc::Receiver<R>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(QUEUED_MAX);
        let task = tokio::spawn(writer(receiver));
        Self { sender: Mutex::new(Some(sender)), task: Mutex::new(Some(task)) }
    }

    /// A queue without a writer: every request is refused.
    pub fn closed() -> Self {
        Self { sender: Mutex::new(None), task: Mutex::new(None) }
    }

    /// Sends a request and waits for its answer.
    pub async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> R) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.tell(request(reply)).await?;
        answer.await.map_err(|_| unavailable("the writer ended"))?
    }

    /// Sends a request that has no answer. Its place in the queue is taken at the first poll.
    pub async fn tell(&self, request: R) -> Result<()> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sender = sender.ok_or_else(|| unavailable("the store is closed, or open for reading only"))?;
        // A task whose cooperative budget is used up is told to wait before it has queued; what it polls after its next
        // turn would then pass this request.
        let sent = tokio::task::unconstrained(sender.send(request)).await;
        sent.map_err(|_| unavailable("the writer ended"))
    }

    /// Takes no more requests and waits until those it has are answered.
    pub async fn close(&self) -> Result<()> {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        match task {
            Some(task) => task.await.map_err(|_| unavailable("the writer ended before it was closed")),
            None => Ok(()),
        }
    }
}

/// Adds to a batch what is queued, up to its limits. A request larger than a batch is one of its own.
pub(super) fn fill<R: Weighted>(batch: &mut Vec<R>, receiver: &mut mpsc::Receiver<R>) {
    let (mut rows, mut bytes) = batch.iter().map(R::weight).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    while rows < BATCH_ROWS_MAX && bytes < BATCH_BYTES_MAX {
        let Ok(request) = receiver.try_recv() else { return };
        let weight = request.weight();
        rows += weight.0;
        bytes += weight.1;
        batch.push(request);
    }
}

/// Answers a request; a caller that went away is no error.
pub(super) fn answer<T>(reply: Reply<T>, result: Result<T>) {
    if reply.send(result).is_err() {
        tracing::debug!("the answer to a write found nobody waiting");
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    async fn is_ready<T>(future: impl Future<Output = T>) -> bool {
        let mut future = pin!(future);
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn a_request_is_queued_at_its_first_poll_though_the_budget_of_its_task_is_used_up() {
        let (handed, received) = oneshot::channel();
        let queue = Queue::start(|receiver: mpsc::Receiver<u32>| async move {
            drop(handed.send(receiver));
        });
        let mut receiver = received.await.expect("the queue starts");
        while is_ready(tokio::task::consume_budget()).await {}
        assert!(is_ready(queue.tell(1)).await);
        tokio::task::yield_now().await;
        queue.tell(2).await.expect("is queued");
        assert_eq!((receiver.recv().await, receiver.recv().await), (Some(1), Some(2)));
    }
}
