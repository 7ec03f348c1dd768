use super::slot;
use redis::{FromRedisValue, Pipeline, RedisError, aio::MultiplexedConnection};

/// A script of ours. The server knows it by the hash of its text.
pub(in crate::store::redis) struct Script(redis::Script);

/// A script on its way to the server: its keys and arguments.
pub(in crate::store::redis) struct Call<'a> {
    script: &'a redis::Script,
    invocation: redis::ScriptInvocation<'a>,
    /// Of the first key; all keys of a script share theirs.
    slot: Option<u16>,
}

impl Script {
    pub(in crate::store::redis) fn new(text: &str) -> Self {
        Self(redis::Script::new(text))
    }

    pub(in crate::store::redis) fn call(&self) -> Call<'_> {
        Call { script: &self.0, invocation: self.0.prepare_invoke(), slot: None }
    }
}

impl Call<'_> {
    pub(in crate::store::redis) fn key(&mut self, name: &str) -> &mut Self {
        self.slot.get_or_insert_with(|| slot::of(name));
        self.invocation.key(name);
        self
    }

    pub(in crate::store::redis) fn text(&mut self, text: &str) -> &mut Self {
        self.invocation.arg(text);
        self
    }

    #[cfg(feature = "otp")]
    pub(in crate::store::redis) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.invocation.arg(bytes);
        self
    }

    pub(in crate::store::redis) fn number(&mut self, number: impl Into<i64>) -> &mut Self {
        self.invocation.arg(number.into());
        self
    }

    /// A number that fits the 53 bits of a Lua number.
    pub(in crate::store::redis) fn micros(&mut self, micros: u64) -> &mut Self {
        self.invocation.arg(micros);
        self
    }

    pub(super) fn slot(&self) -> Option<u16> {
        self.slot
    }

    /// Runs it, and loads it before if the server does not know it.
    pub(super) async fn on<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<T, RedisError> {
        self.invocation.invoke_async(connection).await
    }

    /// Runs it where its slot is about to move to.
    pub(super) async fn asking<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<T, RedisError> {
        let mut pipe = Pipeline::new();
        pipe.load_script(self.script).ignore().cmd("ASKING").ignore();
        let (answer,) = pipe.invoke_script(&self.invocation).query_async(connection).await?;
        Ok(answer)
    }
}
