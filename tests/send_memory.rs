//! What a peer that reads slowly costs in memory: what waits for it, and a quarter more.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use sansock::split::{SendQueue, Sender};
use sansock::{Config, Limits, SendBuffer, SendError};
use testkit::memory::{Counting, held, peak};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LIMIT: usize = 32 << 20;
/// The limit, a quarter of it, and a megabyte.
const MOST: isize = (LIMIT + LIMIT / 4 + (1 << 20)).cast_signed();
/// Lengths of messages: many small ones, some large ones, one that fills the buffer.
const LENGTHS: [usize; 4] = [100, 1_000, 100_000, LIMIT - 14];

fn sender() -> Sender {
    Sender::server(&Config::new().limits(Limits::new().buffered(LIMIT)))
}

/// Queues messages until there is no more room.
fn fill(sender: &mut Sender, message: &[u8], output: &mut SendBuffer, in_flight: usize) {
    while sender.check_room(message.len(), in_flight + output.buffered_amount()).is_ok() {
        sender.send(message, output).unwrap();
    }
    let waiting = in_flight + output.buffered_amount();
    assert!((LIMIT - 14..=LIMIT + message.len() + 14).contains(&(waiting + message.len())));
}

/// Lets the peer take `n` bytes.
fn take(output: &mut SendBuffer, mut n: usize) {
    while n > 0 && !output.is_empty() {
        let step = output.as_slice().len().min(n).min(100_000);
        output.consume(step);
        n -= step;
    }
}

#[test]
fn a_send_buffer_takes_a_quarter_more_than_what_waits() {
    for length in LENGTHS {
        let message = vec![0; length];
        let (mut sender, mut output) = (sender(), SendBuffer::new());
        let most = peak(|| {
            // Filled anew after the peer has taken more and more of it.
            for part in [0, 1, LIMIT / 20, LIMIT / 9, LIMIT / 3, LIMIT / 2, LIMIT] {
                take(&mut output, part);
                fill(&mut sender, &message, &mut output, 0);
            }
        });
        assert!(most <= MOST, "{length} bytes a message: {most} for {LIMIT}");
        let full = sender.check_room(length, output.buffered_amount());
        assert_eq!(full, Err(SendError::BufferFull { limit: LIMIT }));
    }
}

/// One batch is being written while others are queued.
#[test]
fn a_send_queue_takes_a_quarter_more_than_what_waits() {
    for length in LENGTHS {
        let message = vec![0; length];
        let (mut sender, mut queue) = (sender(), SendQueue::new());
        let most = peak(|| {
            for part in [0, 1, LIMIT / 20, LIMIT / 9, LIMIT / 3, LIMIT / 2, LIMIT] {
                for _ in 0..10 {
                    let mut batch = queue.take().unwrap();
                    take(&mut batch, part / 10 + 1);
                    queue.put_back(batch);
                }
                let in_flight = queue.buffered_amount() - queue.queued().buffered_amount();
                fill(&mut sender, &message, queue.queued(), in_flight);
            }
        });
        assert!(most <= MOST, "{length} bytes a message: {most} for {LIMIT}");
    }
}

#[test]
fn large_batches_give_their_memory_back() {
    let (mut sender, mut queue) = (sender(), SendQueue::new());
    let after = held(|| {
        for _ in 0..3 {
            fill(&mut sender, &[0; 1_000], queue.queued(), 0);
            while !queue.is_empty() {
                let mut batch = queue.take().unwrap();
                take(&mut batch, 1 << 20);
                queue.put_back(batch);
            }
        }
    });
    assert!(after <= 2 << 20, "{after} bytes for an empty queue");
}
