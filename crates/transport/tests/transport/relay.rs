//! A piece of network that can be cut: a UDP relay between one client and one server.

use std::net::SocketAddr;

use tokio::{net::UdpSocket, sync::watch, task::JoinHandle};

use crate::support::{loopback, soon};

/// What the relay lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Everything.
    Open,
    /// Nothing, in either direction.
    Cut,
    /// Everything to the server; back only QUIC's request to retry, so that handshakes begin and never end.
    StallHandshakes,
    /// Everything, until so many bytes went back to the client; from then on nothing.
    CutAfter(u64),
    /// Datagrams of at most so many bytes, in either direction.
    Narrow(usize),
}

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    line: watch::Sender<Line>,
    to_server: watch::Receiver<u64>,
    longest: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr, line: Line) -> Self {
        let front = UdpSocket::bind(loopback()).await.expect("loopback can be bound");
        let back = UdpSocket::bind(loopback()).await.expect("loopback can be bound");
        back.connect(server).await.expect("loopback can be reached");
        let address = front.local_addr().expect("a bound socket has an address");
        let (line, line_now) = watch::channel(line);
        let (count, to_server) = watch::channel(0);
        let (length, longest) = watch::channel(0);
        let task = tokio::spawn(carry(front, back, line_now, count, length));
        Self { address, line, to_server, longest, task }
    }

    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// Waits until `count` further datagrams have gone to the server.
    pub(crate) async fn carried(&mut self, count: u64) {
        let until = *self.to_server.borrow() + count;
        soon(self.to_server.wait_for(|carried| *carried >= until)).await.expect("the relay runs");
    }
}

impl Relay {
    /// The longest datagram that went back to the client so far.
    pub(crate) fn longest_bytes(&self) -> usize {
        *self.longest.borrow()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    front: UdpSocket,
    back: UdpSocket,
    line: watch::Receiver<Line>,
    count: watch::Sender<u64>,
    longest: watch::Sender<usize>,
) {
    let mut from_client = vec![0; 65_536];
    let mut from_server = vec![0; 65_536];
    let mut client = None;
    let mut returned = 0_u64;
    loop {
        tokio::select! {
            Ok((length, address)) = front.recv_from(&mut from_client) => {
                client = Some(address);
                let passes = match *line.borrow() {
                    Line::Open | Line::StallHandshakes => true,
                    Line::Cut => false,
                    Line::CutAfter(bytes) => returned < bytes,
                    Line::Narrow(bytes) => length <= bytes,
                };
                if passes && back.send(&from_client[..length]).await.is_ok() {
                    count.send_modify(|count| *count += 1);
                }
            }
            Ok(length) = back.recv(&mut from_server) => {
                let datagram = &from_server[..length];
                let passes = match *line.borrow() {
                    Line::Open => true,
                    Line::Cut => false,
                    Line::StallHandshakes => is_retry(datagram),
                    Line::CutAfter(bytes) => returned < bytes,
                    Line::Narrow(bytes) => length <= bytes,
                };
                longest.send_if_modified(|longest| {
                    let is_longer = passes && length > *longest;
                    *longest = if is_longer { length } else { *longest };
                    is_longer
                });
                returned += length as u64;
                if let (true, Some(client)) = (passes, client) {
                    // A lost datagram is what QUIC is made for.
                    let _ = front.send_to(datagram, client).await;
                }
            }
        }
    }
}

/// RFC 9000, section 17.2.5: a long header of type 3. The fixed bit may be greased.
fn is_retry(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & 0b1011_0000 == 0b1011_0000)
}
