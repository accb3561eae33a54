//! As much of Redis's protocol as starting servers needs.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

/// One question to a server that is there.
const ANSWER: Duration = Duration::from_secs(2);

pub(super) async fn ask_port(port: u16, words: &[&str]) -> Result<String> {
    bounded(async { ask(TcpStream::connect(("127.0.0.1", port)).await?, words).await }).await
}

pub(super) async fn ask_socket(path: &Path, words: &[&str]) -> Result<String> {
    bounded(async { ask(UnixStream::connect(path).await?, words).await }).await
}

async fn bounded(answer: impl Future<Output = Result<String>>) -> Result<String> {
    tokio::time::timeout(ANSWER, answer).await.map_err(|_| Error::from(ErrorKind::TimedOut))?
}

async fn ask(stream: impl AsyncRead + AsyncWrite + Unpin, words: &[&str]) -> Result<String> {
    let mut stream = BufReader::new(stream);
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(command.as_bytes()).await?;
    read(&mut stream).await
}

/// One value; the parts of an array stand on lines of their own.
async fn read(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Result<String> {
    let head = line(stream).await?;
    let Some((kind, rest)) = head.split_at_checked(1) else {
        return Err(Error::from(ErrorKind::InvalidData));
    };
    let length = || rest.parse::<i64>().map_err(|_| Error::from(ErrorKind::InvalidData));
    match kind {
        "$" => {
            let Ok(length) = usize::try_from(length()?) else { return Ok(String::new()) };
            let mut bulk = vec![0; length + 2];
            stream.read_exact(&mut bulk).await?;
            bulk.truncate(length);
            String::from_utf8(bulk).map_err(|_| Error::from(ErrorKind::InvalidData))
        }
        "*" => {
            let mut parts = Vec::new();
            for _ in 0..length()? {
                parts.push(Box::pin(read(stream)).await?);
            }
            Ok(parts.join("\n"))
        }
        _ => Ok(head),
    }
}

async fn line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(Error::from(ErrorKind::UnexpectedEof));
    }
    Ok(line.trim_end().to_owned())
}
