use super::slot;
use redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind,
    aio::MultiplexedConnection,
};
use smallvec::SmallVec;

/// A script of ours. The server knows it by the hash of its text.
pub(in crate::store::redis) struct Script(redis::Script);

/// A script on its way to the server: its keys, and after them its arguments.
///
/// They are kept in one piece until it is known how many keys there are, which the server is told first. The crate's own
/// invocation allocates for each of them.
pub(in crate::store::redis) struct Call<'a> {
    script: &'a redis::Script,
    keys: usize,
    words: Vec<u8>,
    /// Where each word ends.
    ends: SmallVec<[usize; 24]>,
}

impl Script {
    pub(in crate::store::redis) fn new(text: &str) -> Self {
        Self(redis::Script::new(text))
    }

    pub(in crate::store::redis) fn call(&self) -> Call<'_> {
        Call { script: &self.0, keys: 0, words: Vec::with_capacity(256), ends: SmallVec::new() }
    }
}

impl Call<'_> {
    pub(in crate::store::redis) fn key(&mut self, name: &str) -> &mut Self {
        debug_assert_eq!(self.keys, self.ends.len(), "keys come before arguments");
        self.keys += 1;
        self.word(name.as_bytes())
    }

    pub(in crate::store::redis) fn text(&mut self, text: &str) -> &mut Self {
        self.word(text.as_bytes())
    }

    #[cfg(feature = "otp")]
    pub(in crate::store::redis) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.word(bytes)
    }

    pub(in crate::store::redis) fn number(&mut self, number: impl Into<i64>) -> &mut Self {
        self.text(itoa::Buffer::new().format(number.into()))
    }

    /// A number that fits the 53 bits of a Lua number.
    pub(in crate::store::redis) fn micros(&mut self, micros: u64) -> &mut Self {
        self.text(itoa::Buffer::new().format(micros))
    }

    /// The slot of the first key; all keys of a script share theirs.
    pub(super) fn slot(&self) -> Option<u16> {
        (self.keys > 0).then(|| slot::of(&self.words[..self.ends[0]]))
    }

    /// Runs it, and loads it before if the server does not know it.
    ///
    /// Both are sent as one: a server that is told to forget its scripts after it loaded this one has run it already.
    pub(super) async fn on<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<T, RedisError> {
        let command = self.command();
        let answer = command.query_async(connection).await;
        let unknown = ErrorKind::Server(ServerErrorKind::NoScript);
        if answer.as_ref().is_err_and(|error: &RedisError| error.kind() == unknown) {
            let mut pipe = Pipeline::new();
            pipe.load_script(self.script).ignore().add_command(command);
            let (answer,) = pipe.query_async(connection).await?;
            return Ok(answer);
        }
        answer
    }

    /// Runs it where its slot is about to move to.
    pub(super) async fn asking<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<T, RedisError> {
        let mut pipe = Pipeline::new();
        pipe.load_script(self.script).ignore().cmd("ASKING").ignore().add_command(self.command());
        let (answer,) = pipe.query_async(connection).await?;
        Ok(answer)
    }

    fn command(&self) -> Cmd {
        // Before the words come the name of the command, the hash and the number of keys.
        let mut command = Cmd::with_capacity(3 + self.ends.len(), 64 + self.words.len());
        command.arg("EVALSHA").arg(self.script.get_hash()).arg(self.keys);
        let mut start = 0;
        for end in &self.ends {
            command.arg(&self.words[start..*end]);
            start = *end;
        }
        command
    }

    fn word(&mut self, word: &[u8]) -> &mut Self {
        self.words.extend_from_slice(word);
        self.ends.push(self.words.len());
        self
    }
}
