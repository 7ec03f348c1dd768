/// A step of a login, as an [`Event`](super::Event) tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// A code was asked for, and the request was answered as if it were sent. Of the phone.
    CodeRequested,
    /// A code was asked for again. Of the phone.
    CodeResent,
    /// The provider took the message. Of the phone.
    CodeSent,
    /// The provider did not take the message, or it is not known whether it did. Of the phone.
    CodeNotSent,
    /// The provider says that the message arrived. Of the phone.
    CodeDelivered,
    /// The provider says that the message did not arrive. Of the phone.
    CodeUndelivered,
    /// The provider refuses us: credentials or configuration are wrong, and no code leaves until somebody looks. Of the
    /// phone.
    SenderRefused,
    /// The owner wants no more messages. Of the phone.
    OptedOut,
    /// The owner wants messages again. Of the phone.
    OptedIn,
    /// A user wants another number: a code was asked for there. Of the new phone.
    PhoneChangeRequested,
    /// A user has another number. Of the new phone.
    PhoneChanged,
    /// A right code of a user who wants a number that is somebody else's: nothing changed. Of the phone.
    PhoneTaken,
    /// The provider took the notice to the number before. Of that phone.
    NoticeSent,
    /// The provider did not take the notice to the number before, or it is not known whether it did, or no provider sends notices. Of
    /// that phone.
    NoticeNotSent,
    /// The number before gets no messages, so nobody is told there. Of that phone.
    NoticeWithheld,
    /// A code was right. Of the phone.
    CodeRight,
    /// A code was wrong. Of the phone.
    CodeWrong,
    /// The provider whose code it is did not say whether it is right. Of the phone.
    CodeUnchecked,
    /// An attempt from another device than the one that asked for the code. Of the phone.
    DeviceMismatch,
    /// A phone logged in from a device that it is not known to have used. Of the phone.
    DeviceNew,
    /// A subject that was there before logged in from a device that was none of its own. Of the subject.
    DeviceJoined,
    /// A device was taken from its subject: its sessions are over. Of the subject.
    DeviceRevoked,
    /// A subject was forgotten: its number, its devices and its sessions are gone. Of the subject.
    SubjectErased,
    /// A number got its subject. Of the subject.
    SubjectCreated,
    /// A session began, and its first tokens were issued. Of the session.
    TokenIssued,
    /// A refresh token was exchanged for new tokens. Of the session.
    TokenRefreshed,
    /// A refresh token was used twice: somebody has a copy. The session is over. Of the session.
    RefreshReused,
    /// A session ended: by logout, by hand, or because its subject began too many. Of the session.
    SessionEnded,
}

impl Step {
    /// One of each.
    pub const ALL: [Self; 28] = [
        Self::CodeRequested,
        Self::CodeResent,
        Self::CodeSent,
        Self::CodeNotSent,
        Self::CodeDelivered,
        Self::CodeUndelivered,
        Self::SenderRefused,
        Self::OptedOut,
        Self::OptedIn,
        Self::PhoneChangeRequested,
        Self::PhoneChanged,
        Self::PhoneTaken,
        Self::NoticeSent,
        Self::NoticeNotSent,
        Self::NoticeWithheld,
        Self::CodeRight,
        Self::CodeWrong,
        Self::CodeUnchecked,
        Self::DeviceMismatch,
        Self::DeviceNew,
        Self::DeviceJoined,
        Self::DeviceRevoked,
        Self::SubjectErased,
        Self::SubjectCreated,
        Self::TokenIssued,
        Self::TokenRefreshed,
        Self::RefreshReused,
        Self::SessionEnded,
    ];

    /// The stable name for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CodeRequested => "code-requested",
            Self::CodeResent => "code-resent",
            Self::CodeSent => "code-sent",
            Self::CodeNotSent => "code-not-sent",
            Self::CodeDelivered => "code-delivered",
            Self::CodeUndelivered => "code-undelivered",
            Self::SenderRefused => "sender-refused",
            Self::OptedOut => "opted-out",
            Self::OptedIn => "opted-in",
            Self::PhoneChangeRequested => "phone-change-requested",
            Self::PhoneChanged => "phone-changed",
            Self::PhoneTaken => "phone-taken",
            Self::NoticeSent => "notice-sent",
            Self::NoticeNotSent => "notice-not-sent",
            Self::NoticeWithheld => "notice-withheld",
            Self::CodeRight => "code-right",
            Self::CodeWrong => "code-wrong",
            Self::CodeUnchecked => "code-unchecked",
            Self::DeviceMismatch => "device-mismatch",
            Self::DeviceNew => "device-new",
            Self::DeviceJoined => "device-joined",
            Self::DeviceRevoked => "device-revoked",
            Self::SubjectErased => "subject-erased",
            Self::SubjectCreated => "subject-created",
            Self::TokenIssued => "token-issued",
            Self::TokenRefreshed => "token-refreshed",
            Self::RefreshReused => "refresh-reused",
            Self::SessionEnded => "session-ended",
        }
    }

    /// Whether somebody should look at it.
    #[cfg(feature = "tracing")]
    pub(super) const fn is_alarming(self) -> bool {
        matches!(
            self,
            Self::CodeNotSent
                | Self::CodeUnchecked
                | Self::NoticeNotSent
                | Self::SenderRefused
                | Self::DeviceMismatch
                | Self::RefreshReused
        )
    }
}
