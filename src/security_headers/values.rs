//! Headers whose values are a closed list.

/// Makes an enum whose variants are the values of a header.
macro_rules! header_values {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* #[doc = concat!("(`", $text, "`)")] $variant,)*
        }

        impl $name {
            /// The value of the header.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        /// Reads the value as it stands in the header, for configuration files.
        ///
        /// # Errors
        ///
        /// When the value is not one of the list.
        impl std::str::FromStr for $name {
            type Err = crate::error::ConfigError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(crate::error::ConfigError::new(concat!(
                        stringify!($name), " is one of:", $(" `", $text, "`"),*
                    ))),
                }
            }
        }
    };
}

header_values! {
    /// `Referrer-Policy`: how much of its own address a page tells the sites it links to.
    ReferrerPolicy {
        /// Nothing. Form posts of the own origin then say `Origin: null`, so a check against forgery
        /// must look at `Sec-Fetch-Site` first.
        NoReferrer = "no-referrer",
        /// The whole address, but nothing from https to http.
        NoReferrerWhenDowngrade = "no-referrer-when-downgrade",
        /// The whole address to the own origin, nothing to others.
        SameOrigin = "same-origin",
        /// The origin.
        Origin = "origin",
        /// The origin, but nothing from https to http.
        StrictOrigin = "strict-origin",
        /// The whole address to the own origin, the origin to others.
        OriginWhenCrossOrigin = "origin-when-cross-origin",
        /// The same, but nothing from https to http; what browsers do without the header.
        StrictOriginWhenCrossOrigin = "strict-origin-when-cross-origin",
        /// The whole address to everybody.
        UnsafeUrl = "unsafe-url",
    }
}

header_values! {
    /// `X-Frame-Options` (RFC 7034): who may frame the page. Browsers prefer `frame-ancestors` of the
    /// policy, so change both.
    FrameOptions {
        /// Nobody.
        Deny = "DENY",
        /// Pages of the same origin.
        SameOrigin = "SAMEORIGIN",
    }
}

header_values! {
    /// `Cross-Origin-Opener-Policy`: which windows share a browsing context group with the page.
    OpenerPolicy {
        /// Those of the same origin. It cuts the link of pop-ups from other sites, sign-in ones too.
        SameOrigin = "same-origin",
        /// Those, and pop-ups the page opens itself.
        SameOriginAllowPopups = "same-origin-allow-popups",
        /// Every opened page is cut off, even one of the same origin.
        NoopenerAllowPopups = "noopener-allow-popups",
        /// All.
        UnsafeNone = "unsafe-none",
    }
}

header_values! {
    /// `Cross-Origin-Embedder-Policy`: which resources of other origins the page may embed.
    EmbedderPolicy {
        /// Those that agree by CORP or CORS. All others stop loading: roll it out report-only first.
        RequireCorp = "require-corp",
        /// All, but requests to other origins carry no credentials. Not known to Safari.
        Credentialless = "credentialless",
        /// All.
        UnsafeNone = "unsafe-none",
    }
}

header_values! {
    /// `Cross-Origin-Resource-Policy`: who may embed this answer as image, script or the like.
    ResourcePolicy {
        /// Pages of the same origin.
        SameOrigin = "same-origin",
        /// Pages of the same site, so those of sibling subdomains too.
        SameSite = "same-site",
        /// Everybody; what a CDN needs.
        CrossOrigin = "cross-origin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_are_written() {
        assert_eq!("DENY".parse::<FrameOptions>().unwrap(), FrameOptions::Deny);
        let policy = EmbedderPolicy::Credentialless;
        assert_eq!(policy.as_str().parse::<EmbedderPolicy>().unwrap(), policy);
        let error = "deny".parse::<FrameOptions>().unwrap_err().to_string();
        assert!(error.contains("`DENY` `SAMEORIGIN`"), "{error}");
    }
}
