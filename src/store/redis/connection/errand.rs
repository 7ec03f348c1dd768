use futures_util::future::{BoxFuture, FutureExt, Shared};
use redis::RedisResult;
use std::io;

/// What several callers wait for. It goes on when all of them give up, so that a deadline may be shorter than it takes.
pub(super) type Errand<T> = Shared<BoxFuture<'static, RedisResult<T>>>;

pub(super) fn errand<T: Clone + Send + 'static>(
    work: impl Future<Output = RedisResult<T>> + Send + 'static,
) -> Errand<T> {
    let work = tokio::spawn(work);
    // It ends without an outcome where its runtime does.
    let ended = |error| Err(io::Error::other(error).into());
    async move { work.await.unwrap_or_else(ended) }.boxed().shared()
}
