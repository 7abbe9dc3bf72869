//! Sealing bytes for somebody's certificate: CMS `AuthEnvelopedData` (RFC 5083) with AES-256-GCM (RFC 5084).
//!
//! The content's key is drawn for one message and wrapped for each recipient: RSAES-OAEP with SHA-256 for RSA keys (RFC 8017 section
//! 7.1, RFC 4055), ephemeral ECDH with an AES-256 key wrap for P-256 and P-384 (RFC 5753 section 3.1.1, KDF of ANSI X9.63 with SHA-256;
//! RFC 3394). `openssl cms -decrypt -inform DER` opens it.
//!
//! It promises secrecy and that a changed byte is refused. It does not say who sealed: what is inside is signed on its own. Whether a
//! certificate is still good is not looked at: whoever names it has chosen it.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    digest::{SHA256, digest},
    key_wrap::{AES_256, AesKek, KeyWrap as _},
    rand::SystemRandom,
    rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey},
};
use cms::{
    cert::IssuerAndSerialNumber,
    content_info::CmsVersion,
    enveloped_data::{
        EncryptedContentInfo, KeyAgreeRecipientIdentifier, KeyAgreeRecipientInfo, KeyTransRecipientInfo,
        OriginatorIdentifierOrKey, OriginatorPublicKey, RecipientEncryptedKey, RecipientIdentifier, RecipientInfo,
        RecipientInfos,
    },
};
use x509_cert::{
    Certificate,
    der::{
        Any, Decode as _, DecodePem as _, Encode, Tag, TagNumber,
        asn1::{BitString, Null, ObjectIdentifier, OctetString},
    },
    spki::AlgorithmIdentifierOwned,
};

const AUTH_ENVELOPED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.23");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const GCM: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.46");
const WRAP: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.45");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// dhSinglePass-stdDH-sha256kdf-scheme.
const ECDH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.1.11.1");
/// Bytes of the tag, the longest there is.
const TAG: u8 = 16;

/// What cannot be sealed, or for whom.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSeal {
    /// No certificate.
    #[error("it is no X.509 certificate in PEM")]
    Certificate,
    /// A key that nothing can be sealed for.
    #[error("its key is {0}; RSA of 2048 bits and more, EC P-256 and EC P-384 are possible")]
    Key(String),
    /// Nobody to seal for.
    #[error("nobody is named who could open it")]
    Nobody,
    /// The library refused.
    #[error("the cryptographic library refused to {0}")]
    Refused(&'static str),
}

/// Whoever may open what is sealed.
#[derive(Debug, Clone)]
pub struct Recipient {
    name: IssuerAndSerialNumber,
    subject: String,
    key: Key,
}

#[derive(Debug, Clone)]
enum Key {
    /// The whole `SubjectPublicKeyInfo`.
    Rsa(Vec<u8>),
    /// The point, uncompressed.
    Curve(ObjectIdentifier, Vec<u8>),
}

/// What is drawn for one message.
pub struct Drawn {
    /// The content's key.
    pub key: [u8; 32],
    /// The nonce: the key is used once, so any would do.
    pub nonce: [u8; 12],
}

fn refused<E>(what: &'static str) -> impl FnOnce(E) -> BadSeal {
    move |_| BadSeal::Refused(what)
}

fn der(what: &impl Encode) -> Result<Vec<u8>, BadSeal> {
    what.to_der().map_err(refused("encode"))
}

fn sequence(parts: &[Vec<u8>]) -> Result<Any, BadSeal> {
    Any::new(Tag::Sequence, parts.concat()).map_err(refused("encode"))
}

/// `[number] EXPLICIT`.
fn explicit(number: TagNumber, inner: &[u8]) -> Result<Vec<u8>, BadSeal> {
    der(&Any::new(Tag::ContextSpecific { constructed: true, number }, inner).map_err(refused("encode"))?)
}

fn any(der: &[u8]) -> Result<Any, BadSeal> {
    Any::from_der(der).map_err(refused("encode"))
}

fn algorithm(oid: ObjectIdentifier, parameters: Option<Any>) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid, parameters }
}

fn octets(bytes: &[u8]) -> Result<OctetString, BadSeal> {
    OctetString::new(bytes).map_err(refused("encode"))
}

impl Recipient {
    /// The first certificate of a PEM file.
    pub fn from_pem(text: &str) -> Result<Self, BadSeal> {
        let start = text.find("-----BEGIN CERTIFICATE-----").ok_or(BadSeal::Certificate)?;
        let end = "-----END CERTIFICATE-----";
        let text = text.get(start..).ok_or(BadSeal::Certificate)?;
        let text = text.get(..text.find(end).ok_or(BadSeal::Certificate)? + end.len()).ok_or(BadSeal::Certificate)?;
        let certificate = Certificate::from_pem(text).map_err(|_| BadSeal::Certificate)?.tbs_certificate;
        let info = &certificate.subject_public_key_info;
        let point = || info.subject_public_key.as_bytes().unwrap_or_default().to_vec();
        let curve = info.algorithm.parameters.as_ref().and_then(|named| named.decode_as::<ObjectIdentifier>().ok());
        let key = match (info.algorithm.oid, curve) {
            (RSA, _) => {
                let whole = der(info)?;
                let bits = PublicEncryptingKey::from_der(&whole).map(|key| key.key_size_bits());
                if bits.is_ok_and(|bits| bits >= 2048) {
                    Key::Rsa(whole)
                } else {
                    return Err(BadSeal::Key("RSA of a size that is not taken".into()));
                }
            }
            (EC, Some(curve @ (P256 | P384))) => Key::Curve(curve, point()),
            (EC, _) => return Err(BadSeal::Key("of another elliptic curve".into())),
            (other, _) => return Err(BadSeal::Key(format!("of the algorithm {other}"))),
        };
        let name = IssuerAndSerialNumber { issuer: certificate.issuer, serial_number: certificate.serial_number };
        Ok(Self { name, subject: certificate.subject.to_string(), key })
    }

    /// Whose certificate it is, as it says.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    fn wrap(&self, key: &[u8; 32]) -> Result<RecipientInfo, BadSeal> {
        match &self.key {
            Key::Rsa(info) => self.transport(info, key),
            Key::Curve(curve, point) => self.agree(*curve, point, key),
        }
    }

    fn transport(&self, info: &[u8], key: &[u8; 32]) -> Result<RecipientInfo, BadSeal> {
        let wrong = "use the RSA key of a certificate";
        let public = PublicEncryptingKey::from_der(info).map_err(refused(wrong))?;
        let public = OaepPublicEncryptingKey::new(public).map_err(refused(wrong))?;
        let mut sealed = vec![0; public.ciphertext_size()];
        let sealed = public.encrypt(&OAEP_SHA256_MGF1SHA256, key, &mut sealed, None).map_err(refused(wrong))?;
        let hash = der(&algorithm(SHA_256, Some(Null.into())))?;
        let mask = der(&algorithm(MGF1, Some(any(&hash)?)))?;
        let parameters = sequence(&[explicit(TagNumber::N0, &hash)?, explicit(TagNumber::N1, &mask)?])?;
        Ok(RecipientInfo::Ktri(KeyTransRecipientInfo {
            version: CmsVersion::V0,
            rid: RecipientIdentifier::IssuerAndSerialNumber(self.name.clone()),
            key_enc_alg: algorithm(OAEP, Some(parameters)),
            enc_key: octets(sealed)?,
        }))
    }

    fn agree(&self, curve: ObjectIdentifier, point: &[u8], key: &[u8; 32]) -> Result<RecipientInfo, BadSeal> {
        let wrong = "use the EC key of a certificate";
        let way: &'static agreement::Algorithm = if curve == P256 { &ECDH_P256 } else { &ECDH_P384 };
        let own = EphemeralPrivateKey::generate(way, &SystemRandom::new()).map_err(refused("make a key"))?;
        let public = own.compute_public_key().map_err(refused("make a key"))?;
        let wrapping = algorithm(WRAP, None);
        // ECC-CMS-SharedInfo: what the key is for, and its length in bits (RFC 5753 section 7.2).
        let bits = explicit(TagNumber::N2, &der(&octets(&256_u32.to_be_bytes())?)?)?;
        let shared = der(&sequence(&[der(&wrapping)?, bits])?)?;
        let peer = UnparsedPublicKey::new(way, point);
        let derive = |secret: &[u8]| Ok(digest(&SHA256, &[secret, &1_u32.to_be_bytes(), &shared].concat()));
        let derived = agree_ephemeral(own, peer, BadSeal::Refused(wrong), derive)?;
        let kek = AesKek::new(&AES_256, derived.as_ref()).map_err(refused(wrong))?;
        let mut wrapped = [0; 40];
        let wrapped = kek.wrap(key, &mut wrapped).map_err(refused(wrong))?;
        let public = BitString::from_bytes(public.as_ref()).map_err(refused("encode"))?;
        let originator = OriginatorPublicKey { algorithm: algorithm(EC, None), public_key: public };
        let to = KeyAgreeRecipientIdentifier::IssuerAndSerialNumber(self.name.clone());
        Ok(RecipientInfo::Kari(KeyAgreeRecipientInfo {
            version: CmsVersion::V3,
            originator: OriginatorIdentifierOrKey::OriginatorKey(originator),
            ukm: None,
            key_enc_alg: algorithm(ECDH_SHA256, Some(any(&der(&wrapping)?)?)),
            recipient_enc_keys: vec![RecipientEncryptedKey { rid: to, enc_key: octets(wrapped)? }],
        }))
    }
}

/// Seals the content for all of them: each opens it alone. The result is DER.
pub fn seal(content: &[u8], to: &[Recipient], drawn: &Drawn) -> Result<Vec<u8>, BadSeal> {
    if to.is_empty() {
        return Err(BadSeal::Nobody);
    }
    let wrapped = to.iter().map(|recipient| recipient.wrap(&drawn.key)).collect::<Result<Vec<_>, _>>()?;
    let recipients = RecipientInfos::try_from(wrapped).map_err(refused("encode"))?;
    let key = UnboundKey::new(&AES_256_GCM, &drawn.key).map_err(refused("take a key"))?;
    let mut sealed = content.to_vec();
    let nonce = Nonce::assume_unique_for_key(drawn.nonce);
    // Without authenticated attributes nothing else is associated (RFC 5083 section 2.2).
    let tag = LessSafeKey::new(key).seal_in_place_separate_tag(nonce, Aad::empty(), &mut sealed);
    let tag = tag.map_err(refused("encrypt"))?;
    let parameters = sequence(&[der(&octets(&drawn.nonce)?)?, der(&TAG)?])?;
    let encrypted = EncryptedContentInfo {
        content_type: DATA,
        content_enc_alg: algorithm(GCM, Some(parameters)),
        encrypted_content: Some(octets(&sealed)?),
    };
    let mac = octets(tag.as_ref())?;
    let message = der(&sequence(&[der(&CmsVersion::V0)?, der(&recipients)?, der(&encrypted)?, der(&mac)?])?)?;
    der(&sequence(&[der(&AUTH_ENVELOPED)?, explicit(TagNumber::N0, &message)?])?)
}
