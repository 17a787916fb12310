//! What fails, one thing after the other.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::crowd::Crowd;
use crate::parts::Parts;

/// The time in which all clients must be served again.
const RECOVERY: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
enum Fault {
    KillChat(usize),
    PauseChat(usize),
    StopRedis,
    KillRedis,
    PauseRedis,
    CutNetworks,
}

const FAULTS: [Fault; 8] = [
    Fault::KillChat(0),
    Fault::StopRedis,
    Fault::PauseChat(1),
    Fault::CutNetworks,
    Fault::KillChat(2),
    Fault::KillRedis,
    Fault::PauseRedis,
    Fault::PauseChat(0),
];

/// Has things fail for a time; each is over and all clients are served before the next.
pub(crate) async fn run(parts: &mut Parts, crowd: &Crowd, time: Duration) -> Result<(), String> {
    recovered(crowd, Instant::now(), "all have entered").await?;
    let end = Instant::now() + time;
    for (fault, number) in FAULTS.into_iter().cycle().zip(1..) {
        if Instant::now() >= end && number > FAULTS.len() {
            break;
        }
        sleep(Duration::from_millis(500)).await;
        let start = Instant::now();
        fault.happen(parts, crowd).await;
        let over = Instant::now();
        recovered(crowd, over, &format!("{fault:?}, {:.1} s", (over - start).as_secs_f32()))
            .await?;
    }
    Ok(())
}

/// Waits until each client has had an answer since then.
async fn recovered(crowd: &Crowd, since: Instant, what: &str) -> Result<(), String> {
    while crowd.waiting_since(since) > 0 {
        if since.elapsed() > RECOVERY {
            let waiting = crowd.waiting_since(since);
            let trouble = crowd.trouble_since(since);
            return Err(format!(
                "{what}: {waiting} clients had no answer for {RECOVERY:?}: {trouble}"
            ));
        }
        sleep(Duration::from_millis(20)).await;
    }
    println!("{what}: all are served {:.1} s later", since.elapsed().as_secs_f32());
    Ok(())
}

impl Fault {
    async fn happen(self, parts: &mut Parts, crowd: &Crowd) {
        let chats = parts.chats.len();
        match self {
            Self::KillChat(number) => {
                let chat = &mut parts.chats[number % chats];
                chat.program.kill();
                sleep(Duration::from_secs(2)).await;
                chat.again().await;
            }
            Self::PauseChat(number) => {
                let chat = &parts.chats[number % chats];
                chat.program.signal("STOP");
                sleep(Duration::from_secs(5)).await;
                chat.program.signal("CONT");
            }
            Self::StopRedis => {
                parts.redis.program.end();
                sleep(Duration::from_secs(2)).await;
                parts.redis.again().await;
            }
            Self::KillRedis => {
                parts.redis.program.kill();
                sleep(Duration::from_secs(1)).await;
                parts.redis.again().await;
            }
            Self::PauseRedis => {
                parts.redis.program.signal("STOP");
                sleep(Duration::from_secs(4)).await;
                parts.redis.program.signal("CONT");
            }
            Self::CutNetworks => crowd.wires.cut(),
        }
    }
}
