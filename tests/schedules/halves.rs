//! Several tasks on one connection.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use sansock_tokio::CloseCode;
use shuttle::future::{JoinHandle, spawn};

use crate::pipe::{check, count, ends, task};

/// Two tasks at each end. Both ends read, and send more than the pipe holds, Pings included.
/// Everything arrives.
#[test]
fn two_saturated_ends_do_not_hang() {
    check(|| async {
        let [(here, to_there), (there, from_there)] = ends(8);
        let counts = [spawn(task(count(here))), spawn(task(count(there)))];
        let senders = [to_there.clone(), from_there].map(|writer| {
            spawn(task(async move {
                for _ in 0..3 {
                    writer.send("a message").await.unwrap();
                    writer.ping(b"?").await.unwrap();
                }
            }))
        });
        for sender in senders {
            sender.await.unwrap();
        }
        to_there.start_close(CloseCode::NORMAL, "").await.unwrap();
        assert_eq!(sum(counts).await, 6);
    });
}

/// Two tasks send payloads from where they lie, longer than the pipe, and a third one queues.
#[test]
fn large_payloads_of_several_tasks_stay_whole() {
    check(|| async {
        let [(here, to_there), (there, _from_there)] = ends(4_096);
        let counts = [spawn(task(count(here))), spawn(task(count(there)))];
        let senders = [1, 2].map(|n| {
            let writer = to_there.clone();
            spawn(task(async move { writer.send(vec![n; 9_000]).await.unwrap() }))
        });
        to_there.queue("between them, before or behind").unwrap();
        for sender in senders {
            sender.await.unwrap();
        }
        to_there.start_close(CloseCode::NORMAL, "").await.unwrap();
        assert_eq!(sum(counts).await, 3);
    });
}

/// Who queues does not write: the reader does, though it sleeps.
#[test]
fn what_is_queued_wakes_the_reader() {
    check(|| async {
        let [(here, to_there), (there, _from_there)] = ends(4);
        let counts = [spawn(task(count(here))), spawn(task(count(there)))];
        let queues = [1, 2].map(|_| {
            let writer = to_there.clone();
            spawn(task(async move { writer.queue("queued by one of two").unwrap() }))
        });
        for queue in queues {
            queue.await.unwrap();
        }
        to_there.queue_close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(sum(counts).await, 2);
    });
}

async fn sum(counts: [JoinHandle<usize>; 2]) -> usize {
    let mut sum = 0;
    for count in counts {
        sum += count.await.unwrap();
    }
    sum
}

/// A task that writes for others is dropped in the middle of it: another one goes on.
#[test]
fn a_writer_that_is_dropped_leaves_its_work_to_others() {
    check(|| async {
        let [(here, to_there), (there, _from_there)] = ends(4);
        let counts = [spawn(task(count(here))), spawn(task(count(there)))];
        let first = to_there.clone();
        let cut_off = spawn(task(async move {
            let mut sending = pin!(first.send("a message that is longer than the pipe"));
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                match sending.as_mut().poll(cx) {
                    Poll::Pending if polls == 1 => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            })
            .await;
        }));
        to_there.send("another").await.unwrap();
        cut_off.await.unwrap();
        to_there.start_close(CloseCode::NORMAL, "").await.unwrap();
        assert_eq!(sum(counts).await, 2);
    });
}
