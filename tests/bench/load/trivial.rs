//! A responder that does nothing but answer: what the generator itself can do.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const ANSWER: &[u8] =
    b"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\nLocation: https://brand.example/p\r\n\r\n";

/// Starts it on a free port, on a thread that ends with the process.
pub fn start() -> io::Result<SocketAddr> {
    let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let addr = listener.local_addr()?;
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, Token(0), Interest::READABLE)?;
    std::thread::spawn(move || answer(&listener, poll));
    Ok(addr)
}

fn answer(listener: &TcpListener, mut poll: Poll) -> io::Result<()> {
    let mut events = Events::with_capacity(256);
    let mut links: Vec<TcpStream> = Vec::new();
    let mut request = [0; 4096];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let Some(link) = event.token().0.checked_sub(1) else {
                accept(listener, &mut links, &poll)?;
                continue;
            };
            // Whoever went away is not missed. A request comes in one piece here.
            if let Ok(1..) = links[link].read(&mut request) {
                let _ = links[link].write(ANSWER);
            }
        }
    }
}

fn accept(listener: &TcpListener, links: &mut Vec<TcpStream>, poll: &Poll) -> io::Result<()> {
    loop {
        let mut link = match listener.accept() {
            Ok((link, _)) => link,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        link.set_nodelay(true)?;
        poll.registry().register(&mut link, Token(links.len() + 1), Interest::READABLE)?;
        links.push(link);
    }
}
