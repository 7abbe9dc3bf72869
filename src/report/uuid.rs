//! Names that OSCAL and CloudEvents want: UUID version 5 (RFC 9562 section 5.5), made from the run, so that the same run has the same
//! names on every machine and at every time.

use std::fmt::Write as _;

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use crate::evidence::Redacted;

/// Our own name space: version 5 of `lifeboat.dev` in the name space of domain names, 6ba7b810-9dad-11d1-80b4-00c04fd430c8 (RFC 9562 section 6.6).
fn space() -> [u8; 16] {
    const DNS: [u8; 16] =
        [0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];
    v5(DNS, "lifeboat.dev")
}

/// SHA-1 is what version 5 is made of; nothing rests on its strength here.
fn v5(space: [u8; 16], name: &str) -> [u8; 16] {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(&space);
    context.update(name.as_bytes());
    let mut bytes = [0_u8; 16];
    for (byte, hashed) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *byte = *hashed;
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}

fn text(bytes: [u8; 16]) -> String {
    let mut out = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        // Writing to a String cannot fail.
        let _ok = write!(out, "{byte:02x}");
    }
    out
}

/// The name of something in the report of a run. A run's name is unique in its store alone, so its beginning and its plan are part of it.
pub(super) fn of(redacted: &Redacted, what: &str) -> String {
    let record = redacted.record();
    text(v5(space(), &format!("{}\n{}\n{}\n{what}", record.run, record.opened_at, record.runbook.digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_one_that_the_standard_gives() {
        // RFC 9562 appendix A.4: www.example.com in the name space of domain names.
        const DNS: [u8; 16] =
            [0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];
        assert_eq!(text(v5(DNS, "www.example.com")), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }
}
