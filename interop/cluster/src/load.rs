//! How many messages the processes carry, and what limits them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use sansock_tokio::{Error, Event, Stream, WebSocket};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::{Instant, interval_at, sleep, timeout};

use crate::client::HOUR;
use crate::parts::Parts;
use crate::program::cpu;

/// Messages a second in each room, one step after the other.
const RATES: [u32; 10] = [1, 2, 4, 6, 8, 10, 12, 16, 20, 24];
/// How long each step is measured, after the same time to get even.
const STEP: Duration = Duration::from_secs(4);
/// A step in which messages are later than this is the last.
const LATE: u64 = 1_000_000;
/// How many clients connect at the same time.
const ENTERING: usize = 100;

struct Common {
    epoch: Instant,
    entered: Cell<usize>,
    left: Cell<usize>,
    /// How many messages were delivered, and how late, in microseconds.
    delivered: Cell<u64>,
    latency: RefCell<Histogram<u32>>,
    /// Messages a second of each sender.
    rate: Cell<u32>,
}

pub(crate) async fn run(
    clients: usize,
    rooms: usize,
    chats: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let options = ["--rate", "1000", "--history", "1", "--keepalive", "60"];
    let parts = Parts::start(chats, &options).await;
    let common = Rc::new(Common {
        epoch: Instant::now(),
        entered: Cell::new(0),
        left: Cell::new(0),
        delivered: Cell::new(0),
        latency: RefCell::new(Histogram::new_with_max(HOUR, 2)?),
        rate: Cell::new(0),
    });
    LocalSet::new().run_until(measure(clients, rooms, &parts, &common)).await
}

async fn measure(
    clients: usize,
    rooms: usize,
    parts: &Parts,
    common: &Rc<Common>,
) -> Result<(), Box<dyn std::error::Error>> {
    let before: usize = parts.chats.iter().map(|chat| chat.program.memory()).sum();
    let doors = Rc::new(Semaphore::new(ENTERING));
    for number in 0..clients {
        let url = format!("ws://{}/rooms/room{}", parts.haproxy.address, number % rooms);
        let (common, doors) = (Rc::clone(common), Rc::clone(&doors));
        tokio::task::spawn_local(async move {
            let entered = async {
                let _door = doors.acquire().await;
                enter(&url, number).await
            };
            if let Ok(socket) = entered.await {
                common.entered.set(common.entered.get() + 1);
                let _ = if number < rooms {
                    write(socket, &common).await
                } else {
                    read(socket, &common).await
                };
            }
            common.left.set(common.left.get() + 1);
        });
    }
    let entering = Instant::now();
    while common.entered.get() < clients {
        if common.left.get() > 0 || entering.elapsed() > Duration::from_secs(120) {
            let (entered, left) = (common.entered.get(), common.left.get());
            return Err(format!("{entered} of {clients} clients have entered, {left} left").into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    let memory = parts.chats.iter().map(|chat| chat.program.memory()).sum::<usize>() - before;
    println!(
        "{clients} clients in {rooms} rooms, {} processes: {} KiB a client in the chats",
        parts.chats.len(),
        memory / clients
    );
    steps(clients, rooms, parts, common).await
}

async fn steps(
    clients: usize,
    rooms: usize,
    parts: &Parts,
    common: &Rc<Common>,
) -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "| sent/s | delivered/s | p50, ms | p99, ms | chats, us | Redis, us | HAProxy, us | clients, us |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    for rate in RATES {
        common.rate.set(rate);
        sleep(STEP).await;
        common.delivered.set(0);
        common.latency.borrow_mut().reset();
        let (start, before) = (Instant::now(), used(parts));
        sleep(STEP).await;
        let (time, after) = (start.elapsed(), used(parts));
        let delivered = common.delivered.get().max(1);
        let each: Vec<String> = before
            .iter()
            .zip(&after)
            .map(|(before, after)| {
                let nanoseconds = after.saturating_sub(*before).as_nanos() / u128::from(delivered);
                format!("{}.{:02}", nanoseconds / 1_000, nanoseconds % 1_000 / 10)
            })
            .collect();
        let latency = common.latency.borrow();
        let (p50, p99) = (latency.value_at_quantile(0.5), latency.value_at_quantile(0.99));
        println!(
            "| {} | {} | {} | {} | {} |",
            usize::try_from(rate)? * rooms,
            u128::from(delivered) * 1_000 / time.as_millis(),
            p50 / 1_000,
            p99 / 1_000,
            each.join(" | ")
        );
        if common.left.get() > 0 {
            return Err(format!("{} of {clients} clients have left", common.left.get()).into());
        }
        if p99 > LATE {
            break;
        }
    }
    Ok(())
}

/// The processor time of the chats, Redis, `HAProxy` and the clients.
fn used(parts: &Parts) -> [Duration; 4] {
    let chats = parts.chats.iter().map(|chat| chat.program.cpu()).sum();
    [chats, parts.redis.program.cpu(), parts.haproxy.program.cpu(), cpu("self")]
}

async fn enter(url: &str, number: usize) -> Result<WebSocket<Stream>, Error> {
    let mut socket = sansock_tokio::Client::new(url)?.connect().await?;
    let name = json!({ "type": "username", "name": format!("client{number}") }).to_string();
    socket.send(name).await?;
    Ok(socket)
}

async fn read(mut socket: WebSocket<Stream>, common: &Common) -> Result<(), Error> {
    while let Some(event) = socket.recv().await? {
        if let Event::Message(message) = event {
            got(message.as_text().unwrap_or_default(), common);
        }
    }
    Ok(())
}

/// The text of a message is `at` and the time at which it was sent. It is found without a parser,
/// which would cost more than all the rest.
fn got(message: &str, common: &Common) {
    let Some((_, text)) = message.split_once("\"at ") else { return };
    let Some(Ok(sent)) = text.split('"').next().map(str::parse::<u64>) else { return };
    common.delivered.set(common.delivered.get() + 1);
    let now = u64::try_from(common.epoch.elapsed().as_micros()).unwrap_or(u64::MAX);
    common.latency.borrow_mut().saturating_record(now.saturating_sub(sent));
}

/// Writes at the rate that is set, and reads.
async fn write(mut socket: WebSocket<Stream>, common: &Common) -> Result<(), Error> {
    let mut next = Instant::now();
    loop {
        let Some(pause) = Duration::from_secs(1).checked_div(common.rate.get()) else {
            let _ = timeout(Duration::from_millis(100), socket.recv()).await;
            continue;
        };
        let mut ticks = interval_at(next.max(Instant::now()), pause);
        tokio::select! {
            event = socket.recv() => match event? {
                Some(Event::Message(message)) => {
                    got(message.as_text().unwrap_or_default(), common);
                }
                Some(_) => {}
                None => return Ok(()),
            },
            _ = ticks.tick() => {
                next = Instant::now() + pause;
                let text = format!("at {}", common.epoch.elapsed().as_micros());
                socket.send(json!({ "type": "message", "text": text }).to_string()).await?;
            }
        }
    }
}
