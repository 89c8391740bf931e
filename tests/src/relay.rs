//! A wire that can be cut: forwards datagrams between one worker and the coordinator, until it is told not to.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A wire for the datagrams of one worker.
pub struct Relay {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    /// Until when nothing passes.
    cut_until: Mutex<Option<Instant>>,
    /// Where the worker speaks from, once it has.
    worker: Mutex<Option<SocketAddr>>,
    ended: AtomicBool,
}

impl State {
    fn is_cut(&self) -> bool {
        let cut_until = self.cut_until.lock().unwrap_or_else(PoisonError::into_inner);
        cut_until.is_some_and(|until| Instant::now() < until)
    }
}

impl Relay {
    /// A wire to the coordinator at `coordinator`.
    ///
    /// # Panics
    /// When no socket is to be had.
    #[must_use]
    pub fn to(coordinator: &str) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let back = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        back.connect(coordinator).expect("a loopback address");
        let address = front.local_addr().expect("it is bound");
        let state = Arc::new(State {
            cut_until: Mutex::new(None),
            worker: Mutex::new(None),
            ended: AtomicBool::new(false),
        });
        for socket in [&front, &back] {
            socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a positive time");
        }
        let (front_too, back_too) =
            (front.try_clone().expect("a socket"), back.try_clone().expect("a socket"));
        let (there, here) = (Arc::clone(&state), Arc::clone(&state));
        thread::spawn(move || {
            pump(&there, &front, |bytes, from| {
                *there.worker.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
                // A lost datagram is what QUIC expects of a wire.
                let _ = back_too.send(bytes);
            });
        });
        thread::spawn(move || {
            pump(&here, &back, |bytes, _| {
                if let Some(worker) = *here.worker.lock().unwrap_or_else(PoisonError::into_inner) {
                    let _ = front_too.send_to(bytes, worker);
                }
            });
        });
        Self { address, state }
    }

    /// Where the worker is to connect.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Lets nothing pass for a while.
    pub fn cut_for(&self, time: Duration) {
        *self.state.cut_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
    }
}

fn pump(state: &State, socket: &UdpSocket, forward: impl Fn(&[u8], SocketAddr)) {
    let mut buffer = vec![0; 65_536];
    while !state.ended.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer)
            && !state.is_cut()
        {
            forward(&buffer[..length], from);
        }
    }
}
