use super::{CodeSender, Message, SendError, Taken};
use crate::eventual::BoxFuture;
use std::{
    fmt,
    io::{self, Write},
    sync::mpsc,
    thread,
};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// Prints messages instead of sending them: for a developer's machine, where only the profile `dev` takes it.
///
/// Each is one line, with ` / ` where the text has a new one:
///
/// ```text
/// SMS to +91******3210: 123456 is your Acme code. Do not share it. / @acme.example #123456
/// ```
///
/// A reader that has gone away is a message with an unknown end, not the end of the program. A reader that stops to read
/// holds up the messages behind, and nothing else: a thread prints.
pub struct LogSender(mpsc::Sender<Line>);

/// What to print, and whom to tell.
type Line = (Zeroizing<String>, oneshot::Sender<io::Result<()>>);

impl LogSender {
    /// Prints to standard output.
    pub fn stdout() -> Self {
        Self::to(io::stdout())
    }

    /// Prints to `out`, which is flushed after each line.
    pub fn to(mut out: impl Write + Send + 'static) -> Self {
        let (lines, waiting) = mpsc::channel::<Line>();
        let print = move || {
            for (line, told) in waiting {
                let written = out.write_all(line.as_bytes()).and_then(|()| out.flush());
                let _ = told.send(written);
            }
        };
        // Without a thread nobody takes lines, and no message is sent.
        let _ = thread::Builder::new().name("portcullis-log".into()).spawn(print);
        Self(lines)
    }
}

impl CodeSender for LogSender {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let (told, written) = oneshot::channel();
        let given = self.0.send((line(&message), told));
        Box::pin(async move {
            given.map_err(|_| SendError::NotSent)?;
            match written.await {
                Ok(Ok(())) => Ok(Taken::new()),
                // Half a line may hold the code.
                _ => Err(SendError::Unknown),
            }
        })
    }

    fn reveals_codes(&self) -> bool {
        true
    }
}

impl fmt::Debug for LogSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSender(..)")
    }
}

/// One line whatever is in the text, so that nothing in it can pass for another message.
fn line(message: &Message) -> Zeroizing<String> {
    let mut line = Zeroizing::new(format!("SMS to {}: ", message.to));
    // Room for all of it at once: growing would leave copies of the code behind.
    line.reserve(2 * message.text.len() + 1);
    let parts = message.text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
    for (place, part) in parts.filter(|part| !part.is_empty()).enumerate() {
        if place > 0 {
            line.push_str(" / ");
        }
        line.extend(part.chars().filter(|character| !character.is_control()));
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otp::{Notice, sender::Content};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page {
        text: Arc<Mutex<Vec<u8>>>,
        flushed: Arc<Mutex<usize>>,
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.text.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            *self.flushed.lock().unwrap() = self.text.lock().unwrap().len();
            Ok(())
        }
    }

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn message(text: &str) -> Message {
        Message {
            to: "+919876543210".parse().unwrap(),
            text: Zeroizing::new(text.into()),
            content: Content::Notice(Notice::PhoneChanged),
            language: "en".into(),
            good_for: None,
        }
    }

    async fn printed(text: &str) -> String {
        let page = Page::default();
        LogSender::to(page.clone()).send(message(text)).await.unwrap();
        let text = page.text.lock().unwrap().clone();
        assert_eq!(*page.flushed.lock().unwrap(), text.len());
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn a_message_is_one_line_with_the_code_and_a_masked_number() {
        assert_eq!(
            printed("123456 is your Acme code.\n\n@acme.example #123456").await,
            "SMS to +91******3210: 123456 is your Acme code. / @acme.example #123456\n"
        );
        let hostile = printed("a\r\nSMS to +1: b\u{2028}c\u{1b}[2J\u{85}d\0").await;
        assert_eq!(hostile, "SMS to +91******3210: a / SMS to +1: b / c[2J / d\n");
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_is_an_error_and_no_panic() {
        let sender = LogSender::to(Gone);
        assert_eq!(sender.send(message("123456")).await, Err(SendError::Unknown));
        assert!(sender.reveals_codes());
        assert_eq!(format!("{sender:?}"), "LogSender(..)");
    }
}
