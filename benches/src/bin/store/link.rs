//! A way to the server on which everything arrives later.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

pub(crate) struct Link {
    pub(crate) port: u16,
}

impl Link {
    /// Forwards each connection to a port of this machine until the process ends.
    pub(crate) fn to(port: u16, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let link = Self { port: listener.local_addr().expect("an address").port() };
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(("127.0.0.1", port)).expect("the server");
                for (from, to) in [(&near, &far), (&far, &near)] {
                    to.set_nodelay(true).expect("a socket");
                    let clone = |stream: &TcpStream| stream.try_clone().expect("a socket");
                    carry(clone(from), clone(to), delay);
                }
            }
        });
        link
    }
}

/// One direction: what was read is written when its time has come, however much came since.
fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (read, written) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if read.send((Instant::now() + delay, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in written {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
