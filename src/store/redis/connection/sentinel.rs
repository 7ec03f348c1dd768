//! Finds the master that sentinels name, at each new connection.

use super::{
    line::{Dial, connect},
    target::Target,
};
use futures_util::future::{FutureExt, select_ok};
use redis::{Client, ErrorKind, RedisError, RedisResult, Value, aio::MultiplexedConnection, cmd};
use std::sync::Arc;

/// Makes connections to whoever is the master of this name then.
pub(super) fn dialer(target: &Arc<Target>, master: &str) -> Dial {
    let (target, master): (_, Arc<str>) = (Arc::clone(target), Arc::from(master));
    Box::new(move || dial(Arc::clone(&target), Arc::clone(&master)).boxed())
}

async fn dial(target: Arc<Target>, master: Arc<str>) -> RedisResult<MultiplexedConnection> {
    // The first answer counts: one sentinel may be down, or slow to say so.
    let asked = target.hosts.iter().map(|(host, port)| ask(&target, host, *port, &master).boxed());
    let ((host, port), _) = select_ok(asked).await?;
    let mut connection = connect(target.client(&host, port)?).await?;
    // A sentinel that was cut off names the master of yesterday.
    let role: Vec<Value> = cmd("ROLE").query_async(&mut connection).await?;
    match role.first() {
        Some(Value::BulkString(role)) if role == b"master" => Ok(connection),
        _ => Err(no_master()),
    }
}

/// Where one sentinel says that the master is.
async fn ask(target: &Target, host: &str, port: u16, master: &str) -> RedisResult<(String, u16)> {
    let mut get = cmd("SENTINEL");
    get.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
    let found = match question(target.anonymous(host, port)?, &get).await {
        // Sentinels have users of their own; most have none, and would refuse ours.
        Err(error) if is_closed(&error) => question(target.client_0(host, port)?, &get).await,
        found => found,
    };
    found?.ok_or_else(no_master)
}

async fn question(client: Client, get: &redis::Cmd) -> RedisResult<Option<(String, u16)>> {
    get.query_async(&mut connect(client).await?).await
}

fn is_closed(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "NOPERM"))
}

fn no_master() -> RedisError {
    (ErrorKind::MasterNameNotFoundBySentinel, "no sentinel names a server that is master").into()
}
