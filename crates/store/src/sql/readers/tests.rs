//! What readers promise: one instant, an end, and no connection that nobody needs.

use std::task::{Context, Poll, Waker};

use super::*;

/// A file with one number in it, and those who read it.
struct File {
    path: PathBuf,
    writer: rusqlite::Connection,
    readers: Arc<Readers>,
}

impl File {
    fn new(connections: u32, idle: Option<Duration>) -> Self {
        let path = std::env::temp_dir().join(format!("store-readers-{}.db", uuid::Uuid::new_v4()));
        let writer = rusqlite::Connection::open(&path).expect("a file");
        let made = "PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)";
        writer.execute_batch(made).expect("a table");
        let readers = Readers::new(Reading {
            path: path.clone(),
            connections: NonZeroU32::new(connections).expect("some"),
            acquire_timeout: Duration::from_millis(50),
            busy_timeout: Duration::from_secs(5),
            idle,
            statements_kept: 4,
        });
        Self { path, writer, readers }
    }

    fn idle(&self) -> usize {
        self.readers.idle.lock().expect("nobody panicked").len()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            // What SQLite took away itself need not be taken away.
            drop(std::fs::remove_file(format!("{}{end}", self.path.display())));
        }
    }
}

async fn number(reader: &mut Reader) -> Result<i64, sqlx::Error> {
    let rows = reader.read("SELECT n FROM t WHERE n > ?".into(), vec![Value::Int(0)]).await?;
    match rows.first().and_then(|row| row.held(0)) {
        Some(Held::Integer(number)) if rows.len() == 1 => Ok(number),
        _ => Err(sqlx::Error::RowNotFound),
    }
}

#[tokio::test]
async fn what_is_read_in_a_transaction_is_of_one_instant() {
    let read = File::new(2, None);
    let (mut whole, mut each) = (
        read.readers.acquire(true).await.expect("a reader"),
        read.readers.acquire(false).await.expect("another"),
    );
    assert_eq!(number(&mut whole).await.expect("reads"), 1);
    read.writer.execute_batch("UPDATE t SET n = 2").expect("writes");
    assert_eq!(number(&mut whole).await.expect("reads"), 1);
    assert_eq!(number(&mut each).await.expect("reads"), 2);
    drop(whole);
    let mut again = read.readers.acquire(true).await.expect("the same connection, at another instant");
    again.stay_here();
    assert_eq!(number(&mut again).await.expect("reads"), 2);
}

#[tokio::test]
async fn a_reader_does_not_write_and_says_what_is_wrong() {
    let read = File::new(1, None);
    let mut reader = read.readers.acquire(false).await.expect("a reader");
    assert!(reader.execute("UPDATE t SET n = 2".into(), Vec::new()).await.is_err());
    let refused = reader.read("SELECT absent FROM t".into(), Vec::new()).await;
    assert!(matches!(refused, Err(sqlx::Error::Database(_))));
    assert_eq!(number(&mut reader).await.expect("it goes on"), 1);
}

#[tokio::test]
async fn no_more_are_lent_than_there_are_and_none_once_closed() {
    let read = File::new(1, None);
    let mut lent = read.readers.acquire(false).await.expect("a reader");
    number(&mut lent).await.expect("reads");
    assert!(matches!(read.readers.acquire(false).await, Err(sqlx::Error::PoolTimedOut)));
    let closing = tokio::spawn({
        let readers = Arc::clone(&read.readers);
        async move { readers.close().await }
    });
    tokio::task::yield_now().await;
    assert!(!closing.is_finished(), "one is lent");
    number(&mut lent).await.expect("what is lent reads on");
    drop(lent);
    closing.await.expect("closes");
    assert_eq!(read.idle(), 0);
    assert!(matches!(read.readers.acquire(false).await, Err(sqlx::Error::PoolClosed)));
    read.readers.close().await;
}

#[tokio::test]
async fn what_nobody_asks_for_is_closed() {
    let read = File::new(2, Some(Duration::from_millis(10)));
    for _ in 0..2 {
        number(&mut read.readers.acquire(false).await.expect("a reader")).await.expect("reads");
        while read.idle() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn a_row_tells_what_its_columns_hold_wherever_their_bytes_are() {
    let read = File::new(1, None);
    let mut reader = read.readers.acquire(false).await.expect("a reader");
    let rows =
        "SELECT NULL, 7, 1.5, 'ab', x'00ff', zeroblob(20000) UNION ALL SELECT 'c', '', x'', 'd', 2, x'01'";
    let rows = reader.read(rows.into(), Vec::new()).await.expect("reads");
    let held = |row: &ReadRow| (0..row.columns()).map(|at| format!("{:?}", row.held(at))).collect::<Vec<_>>();
    let large = vec![0; 20_000];
    let [first, second] = rows.as_slice() else { panic!("two rows") };
    assert_eq!(first.held(0), Some(Held::Null));
    assert_eq!(first.held(1), Some(Held::Integer(7)));
    assert_eq!(first.held(2), Some(Held::Real(1.5)));
    assert_eq!(first.held(3), Some(Held::Text(b"ab")));
    assert_eq!(first.held(4), Some(Held::Blob(&[0, 255])));
    assert_eq!(first.held(5), Some(Held::Blob(&large)));
    assert_eq!(first.held(6), None, "no column of the next row: {:?}", held(second));
    assert_eq!(second.held(0), Some(Held::Text(b"c")));
    assert_eq!(second.held(1), Some(Held::Text(b"")));
    assert_eq!(second.held(5), Some(Held::Blob(&[1])));
    assert_eq!((first.bytes(5).as_deref(), first.bytes(4).as_deref()), (Some(&*large), Some(&[0, 255][..])));
    assert_eq!((first.bytes(1), second.bytes(4), second.bytes(6)), (None, None, None));
}

#[tokio::test]
async fn one_that_stays_where_it_is_asked_opens_beside() {
    let read = File::new(1, None);
    let mut reader = read.readers.acquire(false).await.expect("a reader");
    reader.stay_here_if_open();
    assert!(!reader.here, "it is not open yet");
    assert_eq!(number(&mut reader).await.expect("reads"), 1);
    reader.stay_here_if_open();
    assert!(reader.here);
    assert_eq!(number(&mut reader).await.expect("reads"), 1);
}

/// What a read that has no answer says.
fn said(read: Result<i64, sqlx::Error>) -> Unanswered {
    match read {
        Err(sqlx::Error::Io(error)) => *error.get_ref().and_then(|why| why.downcast_ref()).expect("a reason"),
        other => panic!("{other:?}"),
    }
}

/// A runtime whose one thread that may wait is busy until something is sent.
fn busy() -> (tokio::runtime::Runtime, std::sync::mpsc::Sender<()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().max_blocking_threads(1).build().expect("a runtime");
    let (go_on, wait) = std::sync::mpsc::channel();
    runtime.spawn_blocking(move || wait.recv());
    (runtime, go_on)
}

/// Asks a future once; whether it waits.
async fn waits(mut future: std::pin::Pin<&mut impl Future>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[test]
fn a_read_that_the_end_of_the_program_cuts_off_says_so() {
    let read = File::new(1, None);
    let (ending, go_on) = busy();
    let mut reader = ending.block_on(read.readers.acquire(false)).expect("a reader");
    let ended = ending.handle().clone();
    go_on.send(()).expect("the thread waits");
    ending.shutdown_background();
    // A task that still runs while its runtime ends: no thread is begun for it any more.
    let _inside = ended.enter();
    let mut reading = Box::pin(number(&mut reader));
    let polled = reading.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(answer) = polled else { panic!("it waits for a thread that does not come") };
    assert_eq!(said(answer), Unanswered::Ending);
}

#[test]
fn a_read_that_was_given_up_takes_its_instant_along() {
    let read = File::new(1, None);
    let (runtime, go_on) = busy();
    let mut reader = runtime.block_on(read.readers.acquire(true)).expect("a reader");
    reader.stay_here();
    runtime.block_on(number(&mut reader)).expect("reads");
    reader.here = false;
    assert!(runtime.block_on(waits(Box::pin(number(&mut reader)).as_mut())));
    go_on.send(()).expect("the thread waits");
    assert_eq!(said(runtime.block_on(number(&mut reader))), Unanswered::GivenUp);
}
