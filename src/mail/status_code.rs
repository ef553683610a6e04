//! Enhanced mail system status codes (RFC 3463): `class.subject.detail`.
