//! SMTP replies as Postfix logs them (RFC 5321 4.2): code, enhanced code, the words without the markers of joined lines.
