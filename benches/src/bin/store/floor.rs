//! The least that a decision can cost: one command, one small script, one number back.

use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, aio::MultiplexedConnection, cmd,
    io::tcp::TcpSettings,
};
use std::{net::Ipv4Addr, time::Duration};

#[derive(Clone)]
pub(crate) struct Floor {
    connection: MultiplexedConnection,
    hash: String,
}

impl Floor {
    pub(crate) async fn new(port: u16) -> Self {
        let info = format!("redis://127.0.0.1:{port}").into_connection_info().expect("a URL");
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(info).expect("a client");
        let config =
            AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(5)));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = connection.expect("a connection");
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(include_str!("floor.lua"));
        let hash = load.query_async(&mut connection).await.expect("the script");
        Self { connection, hash }
    }

    /// Microseconds to wait; zero if it was admitted.
    pub(crate) async fn decide(&self, client: Ipv4Addr, emission: u64, burst: u32) -> u64 {
        let mut evaluate = cmd("EVALSHA");
        evaluate
            .arg(&self.hash)
            .arg(1)
            .arg(format!("floor:{emission}:{client}"))
            .arg(emission)
            .arg(burst);
        let mut connection = self.connection.clone();
        evaluate.query_async(&mut connection).await.expect("an answer")
    }
}
