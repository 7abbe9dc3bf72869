//! A Redis or Valkey server answers PING, in the role that it should have.
//!
//! Promises: three commands in one message (AUTH where there is a password, PING, ROLE), none of which changes anything. A server
//! that refuses one of them (wrong password, still loading, its master gone) is *unhealthy*: it refuses clients as well.

use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    Asks, Found, Ill,
    place::{Place, Stream},
    trust::{Authorities, Trust},
};
use crate::{
    net::postgres::told,
    port::Secrets,
    spec::{RedisProbe, RedisRole},
};

/// An answer to ROLE names every replica; a hundred of them fit.
const MOST: usize = 16 * 1024;

pub(super) struct Redis {
    spec: RedisProbe,
    place: Place,
    trust: Option<Arc<Trust>>,
    secrets: Arc<dyn Secrets>,
}

impl Redis {
    pub(super) fn new(spec: &RedisProbe, authorities: &Authorities, secrets: Arc<dyn Secrets>) -> Result<Self, Ill> {
        let place = Place::parse(&spec.address)?;
        let trust = authorities.by(spec.tls.as_ref());
        if let Some(trust) = &trust {
            let _later = trust.config();
        }
        Ok(Self { spec: spec.clone(), place, trust, secrets })
    }

    async fn once(&self) -> Result<Found, Ill> {
        let shown = &self.place.shown;
        let mut commands = Vec::new();
        if let Some(password) = &self.spec.password {
            let password = self
                .secrets
                .resolve(password)
                .map_err(|error| Ill::Silent(format!("{shown} could not be asked: {}", told(&error))))?;
            let user = self.spec.user.as_deref();
            let words: Vec<&str> = ["AUTH"].into_iter().chain(user).chain([password.expose_secret()]).collect();
            command(&mut commands, &words);
        }
        command(&mut commands, &["PING"]);
        if self.spec.role.is_some() {
            command(&mut commands, &["ROLE"]);
        }
        let wanted = 1 + usize::from(self.spec.password.is_some()) + usize::from(self.spec.role.is_some());
        let mut stream = Stream::open(&self.place, self.trust.as_ref()).await?;
        let replies = converse(&mut stream, shown, &commands, wanted).await?;
        judge(&self.spec, shown, &replies)
    }
}

async fn converse(stream: &mut Stream, shown: &str, commands: &[u8], wanted: usize) -> Result<Vec<Reply>, Ill> {
    stream.write_all(commands).await.map_err(|error| Ill::of(shown, &error))?;
    stream.flush().await.map_err(|error| Ill::of(shown, &error))?;
    let (mut bytes, mut replies) = (Vec::new(), Vec::new());
    loop {
        let mut rest = bytes.as_slice();
        replies.clear();
        while replies.len() < wanted {
            match reply(rest, 0) {
                Ok(Some((reply, after))) => {
                    replies.push(reply);
                    rest = after;
                }
                Ok(None) => break,
                Err(NoRedis) => return Err(Ill::Unhealthy(format!("{shown}: it does not speak the Redis protocol"))),
            }
        }
        // After a refusal nothing better comes, and some servers close.
        if replies.len() == wanted || replies.iter().any(|reply| matches!(reply, Reply::Error(_))) {
            return Ok(replies);
        }
        if bytes.len() >= MOST {
            return Err(Ill::Unhealthy(format!("{shown}: its answer is longer than {MOST} bytes")));
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) => return Err(Ill::Unhealthy(format!("{shown} broke the connection before it answered"))),
            Ok(_) => {}
            Err(error) => return Err(Ill::of(shown, &error)),
        }
    }
}

impl Asks for Redis {
    fn ask(&self) -> BoxFuture<'_, Result<Found, Ill>> {
        Box::pin(self.once())
    }

    fn shown(&self) -> &str {
        &self.place.shown
    }
}

/// One command, as RESP wants it (Redis serialization protocol specification, "Sending commands").
fn command(bytes: &mut Vec<u8>, words: &[&str]) {
    bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

/// A reply, as far as it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reply {
    Text(String),
    Error(String),
    List(Vec<Self>),
    Nothing,
}

/// Bytes that are no RESP.
#[derive(Debug, PartialEq, Eq)]
struct NoRedis;

/// Reads one reply; `None`: there is more to come.
fn reply(bytes: &[u8], depth: u8) -> Result<Option<(Reply, &[u8])>, NoRedis> {
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        // No head is that long.
        return if bytes.len() > 1024 { Err(NoRedis) } else { Ok(None) };
    };
    let (head, rest) = (bytes.get(..end).unwrap_or_default(), bytes.get(end + 2..).unwrap_or_default());
    let (kind, text) = head.split_first().ok_or(NoRedis)?;
    let text = str::from_utf8(text).map_err(|_| NoRedis)?;
    let number = || text.parse::<i64>().map_err(|_| NoRedis);
    match kind {
        b'+' | b':' => Ok(Some((Reply::Text(text.to_owned()), rest))),
        b'-' => Ok(Some((Reply::Error(text.to_owned()), rest))),
        b'$' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Some((Reply::Nothing, rest))) };
            if length > MOST {
                return Err(NoRedis);
            }
            let Some(after) = rest.get(length + 2..) else { return Ok(None) };
            let text = String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned();
            Ok(Some((Reply::Text(text), after)))
        }
        b'*' if depth < 4 => {
            let Ok(count) = usize::try_from(number()?) else { return Ok(Some((Reply::Nothing, rest))) };
            let (mut items, mut rest) = (Vec::new(), rest);
            for _ in 0..count.min(MOST) {
                let Some((item, after)) = reply(rest, depth + 1)? else { return Ok(None) };
                items.push(item);
                rest = after;
            }
            Ok(Some((Reply::List(items), rest)))
        }
        _ => Err(NoRedis),
    }
}

fn judge(spec: &RedisProbe, shown: &str, replies: &[Reply]) -> Result<Found, Ill> {
    if let Some(Reply::Error(text)) = replies.iter().find(|reply| matches!(reply, Reply::Error(_))) {
        return Err(Ill::Unhealthy(format!("{shown} answered: {text}")));
    }
    let pong = replies.get(usize::from(spec.password.is_some()));
    if pong != Some(&Reply::Text("PONG".into())) {
        return Err(Ill::Unhealthy(format!("{shown}: expected PONG, found another answer")));
    }
    let Some(role) = spec.role else { return Ok(Found::Well) };
    let Some(Reply::List(items)) = replies.last() else {
        return Err(Ill::Unhealthy(format!("{shown}: its answer to ROLE is none")));
    };
    let text = |at: usize| match items.get(at) {
        Some(Reply::Text(text)) => text.as_str(),
        Some(Reply::Error(_) | Reply::List(_) | Reply::Nothing) | None => "nothing",
    };
    // ROLE calls a replica `slave`, and says fourth how its link to the master is (Redis commands, ROLE).
    match (role, text(0)) {
        (RedisRole::Master, "master") => Ok(Found::Well),
        (RedisRole::Replica, "slave") if text(3) == "connected" => Ok(Found::Well),
        (RedisRole::Replica, "slave") => {
            Ok(Found::Weak(format!("{shown}: expected a link to its master that is connected, found `{}`", text(3))))
        }
        (RedisRole::Master, found) => Err(Ill::Unhealthy(format!("{shown}: expected a master, found `{found}`"))),
        (RedisRole::Replica, found) => Err(Ill::Unhealthy(format!("{shown}: expected a replica, found `{found}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(role: Option<RedisRole>) -> RedisProbe {
        RedisProbe { address: "x:1".into(), user: None, password: None, tls: None, role }
    }

    #[test]
    fn replies_are_read_whole_or_not_at_all() {
        let bytes = b"*3\r\n$6\r\nmaster\r\n:3129659\r\n*0\r\n+PONG\r\n";
        let (first, rest) = reply(bytes, 0).unwrap().unwrap();
        let list = Reply::List(vec![Reply::Text("master".into()), Reply::Text("3129659".into()), Reply::List(vec![])]);
        assert_eq!((first, rest), (list, b"+PONG\r\n".as_slice()));
        for cut in 0..bytes.len() - 7 {
            assert_eq!(reply(&bytes[..cut], 0), Ok(None), "{cut}");
        }
        assert_eq!(reply(b"$-1\r\n", 0), Ok(Some((Reply::Nothing, b"".as_slice()))));
        for bad in ["HTTP/1.1 400\r\n", "$x\r\n", "\r\n", "$99999999999\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"] {
            assert_eq!(reply(bad.as_bytes(), 0), Err(NoRedis), "{bad}");
        }
    }

    #[test]
    fn the_role_is_part_of_health() {
        let pong = || Reply::Text("PONG".into());
        let role = |words: &[&str]| Reply::List(words.iter().map(|word| Reply::Text((*word).into())).collect());
        let master = || role(&["master", "0"]);
        let replica = |link| role(&["slave", "10.1.0.1", "6379", link, "0"]);
        let cases = [
            (None, vec![pong()], "well"),
            (None, vec![Reply::Error("LOADING Redis is loading the dataset in memory".into())], "unhealthy"),
            (None, vec![Reply::Text("PANG".into())], "unhealthy"),
            (Some(RedisRole::Master), vec![pong(), master()], "well"),
            (Some(RedisRole::Master), vec![pong(), replica("connected")], "unhealthy"),
            (Some(RedisRole::Master), vec![pong(), Reply::Nothing], "unhealthy"),
            (Some(RedisRole::Replica), vec![pong(), replica("connected")], "well"),
            (Some(RedisRole::Replica), vec![pong(), replica("connect")], "weak"),
            (Some(RedisRole::Replica), vec![pong(), master()], "unhealthy"),
            (Some(RedisRole::Replica), vec![pong(), role(&["sentinel"])], "unhealthy"),
        ];
        for (wanted, replies, expected) in cases {
            let word = match judge(&spec(wanted), "x", &replies) {
                Ok(Found::Well) => "well",
                Ok(Found::Weak(_)) => "weak",
                Err(Ill::Unhealthy(_)) => "unhealthy",
                Err(Ill::Silent(_)) => "silent",
            };
            assert_eq!(word, expected, "{wanted:?} {replies:?}");
        }
    }
}
