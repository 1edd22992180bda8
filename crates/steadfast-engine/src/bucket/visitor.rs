//! The visitor id: what the collector knows a user by, so that the user id itself never leaves the process.

use std::fmt;

use uuid::Uuid;

/// What turns the user ids of one account into visitor ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitorNamespace(Uuid);

/// A user's visitor id: 32 upper-case hexadecimal digits (spec BKT-60).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VisitorId([u8; 32]);

impl VisitorNamespace {
    /// The namespace of an account, computed once per settings file.
    #[must_use]
    pub fn of_account(account: &str) -> Self {
        let vendor = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"https://vwo.com");
        VisitorNamespace(Uuid::new_v5(&vendor, account.as_bytes()))
    }

    /// The visitor id of a user: a UUID version 5 over the UTF-8 bytes of the user id (spec BKT-61).
    ///
    /// ```
    /// use steadfast_engine::bucket::VisitorNamespace;
    /// let visitor = VisitorNamespace::of_account("123456").visitor("Ashley");
    /// assert_eq!(visitor.as_str(), "4C9BA81BAF53591488EB5FD5E66A98B9");
    /// ```
    #[must_use]
    pub fn visitor(self, user: &str) -> VisitorId {
        let mut text = [0; 32];
        Uuid::new_v5(&self.0, user.as_bytes()).simple().encode_upper(&mut text);
        VisitorId(text)
    }
}

impl VisitorId {
    /// The id that was written down as this text; `None` when it is not 32 digits as [`as_str`](Self::as_str) has them.
    ///
    /// ```
    /// use steadfast_engine::bucket::VisitorId;
    /// assert!(VisitorId::from_text("4C9BA81BAF53591488EB5FD5E66A98B9").is_some());
    /// assert!(VisitorId::from_text("4c9ba81b-af53-5914-88eb-5fd5e66a98b9").is_none());
    /// ```
    #[must_use]
    pub fn from_text(text: &str) -> Option<VisitorId> {
        let digits = <[u8; 32]>::try_from(text.as_bytes()).ok()?;
        digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F')).then_some(VisitorId(digits))
    }

    /// The 32 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Hexadecimal digits are always UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for VisitorId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
