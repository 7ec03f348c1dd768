use super::slot;
use redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind,
    aio::MultiplexedConnection,
};
use smallvec::SmallVec;

/// A script of ours. The server knows it by the hash of its text.
pub(in crate::store::redis) struct Script {
    /// Knows the hash.
    script: redis::Script,
    text: String,
}

/// A script on its way to the server: its keys, and after them its arguments.
///
/// They are kept in one piece until it is known how many keys there are, which the server is told first. The crate's own
/// invocation allocates for each of them.
pub(in crate::store::redis) struct Call<'a> {
    script: &'a Script,
    keys: usize,
    words: Vec<u8>,
    /// Where each word ends.
    ends: SmallVec<[usize; 24]>,
}

impl Script {
    pub(in crate::store::redis) fn new(text: &str) -> Self {
        Self { script: redis::Script::new(text), text: text.to_owned() }
    }

    pub(in crate::store::redis) fn call(&self) -> Call<'_> {
        Call { script: self, keys: 0, words: Vec::with_capacity(256), ends: SmallVec::new() }
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
    pub(super) async fn on<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<T, RedisError> {
        let answer = self.by_hash().query_async(connection).await;
        let unknown = ErrorKind::Server(ServerErrorKind::NoScript);
        if answer.as_ref().is_err_and(|error: &RedisError| error.kind() == unknown) {
            return self.anew(connection, None).await;
        }
        answer
    }

    /// Runs it where its slot is about to move to.
    pub(super) async fn asking<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<T, RedisError> {
        self.anew(connection, Some("ASKING")).await
    }

    /// Loads it for the next time, as a server forgets what it was given to run alone; and runs it by its text, so that nothing
    /// that the server is told between the two matters.
    async fn anew<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
        before: Option<&str>,
    ) -> Result<T, RedisError> {
        let mut pipe = Pipeline::new();
        pipe.load_script(&self.script.script).ignore();
        if let Some(before) = before {
            pipe.cmd(before).ignore();
        }
        pipe.add_command(self.command("EVAL", &self.script.text));
        let (answer,) = pipe.query_async(connection).await?;
        Ok(answer)
    }

    fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", self.script.script.get_hash())
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        // Before the words come the name of the command, the script and the number of keys.
        let size = 24 + script.len() + self.words.len();
        let mut command = Cmd::with_capacity(3 + self.ends.len(), size);
        command.arg(name).arg(script).arg(self.keys);
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
