//! Time stamps: RFC 3161 requests and responses, as far as they say *what* was stamped and *when*.
//!
//! The request and the reading of the response are ours, because a request is 69 bytes and because what we check is the imprint, the
//! nonce and the time. Whether the authority's signature holds is for whoever trusts that authority: `openssl ts -verify` does it
//! with its certificate, and the response is kept whole for that.
//!
//! What is stamped is the text of a checkpoint: origin, size and root. It can be written again from an entry alone.

use jiff::Timestamp;

use super::tree::Hash;

/// The media type of a request (RFC 3161 section 3.4).
pub const QUERY: &str = "application/timestamp-query";

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INSIDE: u8 = 0xa0;
/// `AlgorithmIdentifier` of SHA-256 (RFC 5754 section 2), with the NULL that every authority takes.
const SHA256: &[u8] = &[0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];
/// `id-sha256` alone: authorities answer with and without the NULL.
const SHA256_OBJECT: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// `id-signedData` (RFC 5652 section 5.1).
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// `id-ct-TSTInfo` (RFC 3161 section 2.4.2).
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];

/// A response that is no time stamp of what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadStamp {
    /// Not the DER of a response.
    #[error("it is no time stamp response: {0} is missing or has another form")]
    Form(&'static str),
    /// The authority would not.
    #[error("the authority did not stamp it (PKIStatus {status}): {text}")]
    Rejected {
        /// RFC 3161 section 2.4.2.
        status: u64,
        /// What it said.
        text: String,
    },
    /// Of something else.
    #[error("it stamps something else than the checkpoint")]
    Imprint,
    /// An answer to another request.
    #[error("it answers another request: the nonce is not ours")]
    Nonce,
}

/// A request for a stamp over a SHA-256 digest, with this nonce. The authority's certificate is asked for, so that the response can be
/// verified years later.
pub fn request(digest: &Hash, nonce: [u8; 8]) -> Vec<u8> {
    let imprint = [SHA256, &[OCTETS, 32], digest].concat();
    let body = [
        der(INTEGER, &[1]),
        der(SEQUENCE, &imprint),
        der(INTEGER, &positive(nonce)),
        // certReq TRUE
        vec![0x01, 0x01, 0xff],
    ]
    .concat();
    der(SEQUENCE, &body)
}

/// The same number in eight bytes that are a positive and shortest INTEGER.
fn positive(mut nonce: [u8; 8]) -> [u8; 8] {
    if let Some(first) = nonce.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    nonce
}

/// Contents of up to 127 bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or(0x7f);
    [&[tag, length], content].concat()
}

/// When the digest was stamped, by the authority's clock. With `nonce`, the response must be the answer to that request.
///
/// # Errors
/// A response that is none, that says no, or that is about something else.
pub fn read(response: &[u8], digest: &Hash, nonce: Option<[u8; 8]>) -> Result<Timestamp, BadStamp> {
    let mut response = Der(response).within(SEQUENCE).ok_or(BadStamp::Form("the response"))?;
    let mut info = response.within(SEQUENCE).ok_or(BadStamp::Form("the status"))?;
    let status = info.take(INTEGER).and_then(number).ok_or(BadStamp::Form("the status"))?;
    // 0: granted; 1: granted with modifications.
    if status > 1 {
        let text = info.within(SEQUENCE).and_then(|mut texts| texts.take(0x0c)).unwrap_or_default();
        let text = String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).take(200).collect();
        return Err(BadStamp::Rejected { status, text });
    }
    let content = content(&mut response).ok_or(BadStamp::Form("the signed content"))?;
    let mut stamp = Der(content).within(SEQUENCE).ok_or(BadStamp::Form("TSTInfo"))?;
    let head = stamp.take(INTEGER).and_then(number) == Some(1) && stamp.take(OBJECT).is_some();
    let mut imprint = stamp.within(SEQUENCE).filter(|_| head).ok_or(BadStamp::Form("the imprint"))?;
    let algorithm = imprint.within(SEQUENCE).and_then(|mut algorithm| algorithm.take(OBJECT));
    if algorithm != Some(SHA256_OBJECT) || imprint.take(OCTETS) != Some(digest.as_slice()) {
        return Err(BadStamp::Imprint);
    }
    let _serial = stamp.take(INTEGER).ok_or(BadStamp::Form("the serial number"))?;
    let time = stamp.take(TIME).and_then(time).ok_or(BadStamp::Form("the time"))?;
    if let Some(nonce) = nonce {
        // Accuracy and ordering may stand before it.
        let found = std::iter::from_fn(|| stamp.next()).find(|(tag, _)| *tag == INTEGER);
        if found.map(|(_, found)| found) != Some(positive(nonce).as_slice()) {
            return Err(BadStamp::Nonce);
        }
    }
    Ok(time)
}

/// The `TSTInfo` inside the signed data (RFC 5652 sections 3, 5.1, 5.2).
fn content<'a>(response: &mut Der<'a>) -> Option<&'a [u8]> {
    let mut token = response.within(SEQUENCE)?;
    (token.take(OBJECT)? == SIGNED_DATA).then_some(())?;
    let mut data = token.within(INSIDE)?.within(SEQUENCE)?;
    let (_version, _digests) = (data.take(INTEGER)?, data.take(SET)?);
    let mut inner = data.within(SEQUENCE)?;
    (inner.take(OBJECT)? == TST_INFO).then_some(())?;
    inner.within(INSIDE)?.take(OCTETS)
}

/// A small INTEGER.
fn number(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// `GeneralizedTime` as RFC 3161 section 2.4.2 wants it: `YYYYMMDDhhmmss[.s…]Z`.
fn time(bytes: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('Z')?;
    let (date, clock) = text.split_at_checked(8)?;
    let (clock, rest) = clock.split_at_checked(6)?;
    let part = |text: &str, from: usize, to: usize| text.get(from..to).map(str::to_owned);
    let (year, month, day) = (part(date, 0, 4)?, part(date, 4, 6)?, part(date, 6, 8)?);
    let (hour, minute, second) = (part(clock, 0, 2)?, part(clock, 2, 4)?, part(clock, 4, 6)?);
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}{rest}Z").parse().ok()
}

/// Reads DER (X.690 section 10), values one after the other. Indefinite lengths are no DER.
#[derive(Debug, Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let (length, more) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = more;
                usize::try_from(number(length)?).ok()?
            }
            0x80 | 0x85.. => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next value's content, when it has this tag.
    fn take(&mut self, wanted: u8) -> Option<&'a [u8]> {
        let (tag, content) = self.next()?;
        (tag == wanted).then_some(content)
    }

    /// The values inside of the next one.
    fn within(&mut self, wanted: u8) -> Option<Self> {
        self.take(wanted).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::key::hex;

    /// What a granting authority answers, as far as we read it.
    fn response(digest: &Hash, nonce: [u8; 8]) -> Vec<u8> {
        let imprint = der(SEQUENCE, &[SHA256, &[OCTETS, 32], digest].concat());
        let stamp = [
            der(INTEGER, &[1]),
            der(OBJECT, &[0x2a, 0x03]),
            imprint,
            der(INTEGER, &[7]),
            der(TIME, b"20261124190000.25Z"),
            der(SEQUENCE, &der(INTEGER, &[9])),
            der(INTEGER, &positive(nonce)),
        ];
        let long = |tag: u8, content: &[u8]| {
            [&[tag, 0x82], u16::try_from(content.len()).unwrap().to_be_bytes().as_slice(), content].concat()
        };
        let inner = [der(OBJECT, TST_INFO), long(INSIDE, &long(OCTETS, &long(SEQUENCE, &stamp.concat())))].concat();
        let data = [der(INTEGER, &[3]), der(SET, &[]), long(SEQUENCE, &inner)].concat();
        let token = [der(OBJECT, SIGNED_DATA), long(INSIDE, &long(SEQUENCE, &data))].concat();
        long(SEQUENCE, &[der(SEQUENCE, &der(INTEGER, &[0])), long(SEQUENCE, &token)].concat())
    }

    #[test]
    fn a_request_is_the_one_that_the_standard_shows() {
        let request = request(&[9; 32], [0xff; 8]);
        assert_eq!(
            hex(&request),
            format!(
                "3043020101{}{}0208{}0101ff",
                "3031300d060960864801650304020105000420",
                "09".repeat(32),
                "7fffffffffffffff"
            )
        );
    }

    #[test]
    fn a_stamp_holds_for_its_digest_and_its_request_alone() {
        let good = response(&[9; 32], [1; 8]);
        let at: Timestamp = "2026-11-24T19:00:00.25Z".parse().unwrap();
        assert_eq!(read(&good, &[9; 32], Some([1; 8])), Ok(at));
        assert_eq!(read(&good, &[9; 32], None), Ok(at));
        assert_eq!(read(&good, &[8; 32], None), Err(BadStamp::Imprint));
        assert_eq!(read(&good, &[9; 32], Some([2; 8])), Err(BadStamp::Nonce));
        for cut in 0..good.len() {
            assert!(read(&good[..cut], &[9; 32], None).is_err(), "cut to {cut}");
        }
    }

    #[test]
    fn an_authority_that_refuses_is_told_with_its_words() {
        let texts = der(SEQUENCE, &der(0x0c, b"no more today"));
        let refused = der(SEQUENCE, &der(SEQUENCE, &[der(INTEGER, &[2]), texts].concat()));
        let expected = BadStamp::Rejected { status: 2, text: "no more today".into() };
        assert_eq!(read(&refused, &[9; 32], None), Err(expected));
    }
}
