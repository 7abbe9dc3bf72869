//! Compares buckets and copies between them.
//!
//! Promises: memory is bounded (eight objects at once, one part of each); a copied object carries the original's type, headers and
//! metadata, and was seen to be the same: the two servers computed the same entity tag over what they hold, or the
//! copy was read back and its SHA-256 is that of what was read from the source. Tags, access lists and old versions are not
//! copied.
//!
//! Assumes that nothing else writes the same keys to the destination. A crash in the middle leaves whole objects and unfinished
//! uploads, which no listing shows; copying again finishes the work.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use aws_sdk_s3::{
    Client,
    operation::{get_object::GetObjectOutput, head_object::HeadObjectOutput},
    primitives::ByteStream,
    types::{ChecksumMode, CompletedMultipartUpload, CompletedPart},
};
use futures::{StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};

use super::{
    client::{Bucket, Inventory, Trouble, deepest, patiently, trouble},
    compare::{Gap, Likeness, data_only, gap, likeness},
    leave::Leave,
};

/// Objects at once.
const LANES: usize = 8;
/// Bytes of one part. An object of at most this size is written in one piece.
const PART: usize = 16 * 1024 * 1024;
/// On a copy: the original's entity tag. It tells a copy from a change where entity tags do not depend on the content alone.
const ORIGIN: &str = "lifeboat-origin-etag";

/// Which side a trouble came from.
#[derive(Debug)]
pub(super) enum Side {
    /// Reading.
    Reading(Trouble),
    /// Writing: silence there means that the outcome is unknown.
    Writing(Trouble),
    /// The lease was lost.
    Lease,
    /// What was written is not what was read.
    Corrupt(String),
}

/// Where a copy is written, and whether it may be.
struct Target<'a> {
    bucket: &'a Bucket,
    client: &'a Client,
    leave: &'a Leave<'a>,
}

/// The data of both buckets, and what `there` lacks.
pub(super) fn measure<'a>(
    here: &'a Bucket,
    there: &'a Bucket,
    prefix: Option<&'a str>,
) -> BoxFuture<'a, Result<(Inventory, Gap), Trouble>> {
    // Boxed: the client library's futures are large, and this one stands in many others.
    Box::pin(compared(here, there, prefix))
}

async fn compared(here: &Bucket, there: &Bucket, prefix: Option<&str>) -> Result<(Inventory, Gap), Trouble> {
    let (ours, theirs) = futures::try_join!(here.list(prefix), there.list(prefix))?;
    let (ours, theirs) = (data_only(ours), data_only(theirs));
    let unsure: Vec<&String> = ours
        .iter()
        .filter(|(key, object)| likeness(object, theirs.get(*key)) == Likeness::Unsure)
        .map(|(key, _)| key)
        .collect();
    let mut same = BTreeSet::new();
    if !unsure.is_empty() {
        let clients = (here.client().await?, there.client().await?);
        let ask = |key: &String| {
            let key = key.clone();
            let clients = &clients;
            async move { Ok::<_, Trouble>((heads_agree(here, &clients.0, there, &clients.1, &key).await?, key)) }
        };
        let answers: Vec<_> = stream::iter(unsure).map(ask).buffer_unordered(LANES).try_collect().await?;
        same.extend(answers.into_iter().filter(|(agree, _)| *agree).map(|(_, key)| key));
    }
    let found = gap(&ours, &theirs, &same);
    Ok((ours, found))
}

/// Whether two objects of one size are the same, by what their servers say: the copy's note of its origin, or a checksum that both
/// keep over the whole object.
async fn heads_agree(
    here: &Bucket,
    ours: &Client,
    there: &Bucket,
    theirs: &Client,
    key: &str,
) -> Result<bool, Trouble> {
    let head = async |bucket: &Bucket, client: &Client| {
        let head = client.head_object().bucket(&bucket.name).key(key).checksum_mode(ChecksumMode::Enabled).send().await;
        head.map_err(|error| trouble(&error))
    };
    let (original, copy) = futures::try_join!(head(here, ours), head(there, theirs))?;
    let noted = |head: &HeadObjectOutput| head.metadata().and_then(|all| all.get(ORIGIN)).cloned();
    let tag = |head: &HeadObjectOutput| head.e_tag().map(|tag| tag.trim_matches('"').to_owned());
    if noted(&copy).is_some() && noted(&copy) == tag(&original) {
        return Ok(true);
    }
    // Or the original is itself a copy of what stands there (after a reverse).
    if noted(&original).is_some() && noted(&original) == tag(&copy) {
        return Ok(true);
    }
    let checksums = |head: &HeadObjectOutput| {
        [
            head.checksum_sha256().map(str::to_owned),
            head.checksum_crc64_nvme().map(str::to_owned),
            head.checksum_crc32_c().map(str::to_owned),
            head.checksum_crc32().map(str::to_owned),
        ]
    };
    // A composite checksum ends in the number of its parts and depends on them.
    let whole = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.contains('-'));
    Ok(checksums(&original).iter().zip(&checksums(&copy)).any(|(a, b)| whole(a) && a == b))
}

/// Copies these keys, whatever stands there now. Gives the number of objects and bytes.
pub(super) async fn copy(
    from: &Bucket,
    to: &Bucket,
    keys: &BTreeSet<String>,
    leave: &Leave<'_>,
) -> Result<(u64, u64), Side> {
    let source = from.client().await.map_err(Side::Reading)?;
    let client = to.client().await.map_err(Side::Writing)?;
    let target = Target { bucket: to, client: &client, leave };
    let one = |key: &String| {
        let key = key.clone();
        let (source, target) = (&source, &target);
        async move { if leave.live() { copy_one(from, source, target, &key).await } else { Err(Side::Lease) } }
    };
    let sizes: Vec<Option<u64>> = stream::iter(keys).map(one).buffer_unordered(LANES).try_collect().await?;
    let copied: Vec<u64> = sizes.into_iter().flatten().collect();
    Ok((u64::try_from(copied.len()).unwrap_or(u64::MAX), copied.iter().sum()))
}

/// `None`: the object is gone from the source meanwhile.
async fn copy_one(from: &Bucket, source: &Client, to: &Target<'_>, key: &str) -> Result<Option<u64>, Side> {
    let mut object = match source.get_object().bucket(&from.name).key(key).send().await.map_err(|error| trouble(&error))
    {
        Ok(object) => object,
        Err(trouble) if trouble.is("NoSuchKey") => return Ok(None),
        Err(trouble) => return Err(Side::Reading(trouble)),
    };
    let body = std::mem::take(&mut object.body);
    let origin = object.e_tag().unwrap_or_default().trim_matches('"').to_owned();
    let mut reader = Reader { body, sum: Context::new(&SHA256), count: 0 };
    let first = reader.part().await?;
    // Reading took its time; what follows writes.
    if !to.leave.live() {
        return Err(Side::Lease);
    }
    let whole = object.content_length().and_then(|length| usize::try_from(length).ok()) == Some(first.len());
    let written = if whole {
        put_whole(&object, &origin, first, to, key).await?
    } else {
        put_parts(&object, &origin, first, &mut reader, to, key).await?
    };
    to.leave.did();
    let count = reader.count;
    if object.content_length().is_some_and(|length| u64::try_from(length) != Ok(count)) {
        return Err(Side::Reading(Trouble::Silent(format!("{key}: the source's answer ended after {count} bytes"))));
    }
    let sum = reader.sum.finish();
    if written.as_deref() != Some(origin.as_str()) || origin.is_empty() {
        let (back, length) = read_back(to.bucket, to.client, key).await?;
        if length != count || back.as_ref() != sum.as_ref() {
            return Err(Side::Corrupt(format!("{key}: SHA-256 of what was read back differs from what was written")));
        }
    }
    Ok(Some(count))
}

/// Reads a body in parts, and sums it up.
struct Reader {
    body: ByteStream,
    sum: Context,
    count: u64,
}

impl Reader {
    /// The next part: [`PART`] bytes or a little more, fewer at the end, none after it.
    async fn part(&mut self) -> Result<Vec<u8>, Side> {
        let mut part = Vec::new();
        while part.len() < PART {
            match self.body.try_next().await {
                Ok(Some(bytes)) => part.extend_from_slice(&bytes),
                Ok(None) => break,
                Err(error) => {
                    return Err(Side::Reading(Trouble::Silent(format!(
                        "the source's answer broke off: {}",
                        deepest(&error)
                    ))));
                }
            }
        }
        self.sum.update(&part);
        self.count += u64::try_from(part.len()).unwrap_or(0);
        Ok(part)
    }
}

fn metadata(object: &GetObjectOutput, origin: &str) -> std::collections::HashMap<String, String> {
    let mut all = object.metadata().cloned().unwrap_or_default();
    all.insert(ORIGIN.into(), origin.into());
    all
}

fn unquoted(etag: Option<&str>) -> Option<String> {
    etag.map(|etag| etag.trim_matches('"').to_owned())
}

async fn put_whole(
    object: &GetObjectOutput,
    origin: &str,
    bytes: Vec<u8>,
    to: &Target<'_>,
    key: &str,
) -> Result<Option<String>, Side> {
    let put = to
        .client
        .put_object()
        .bucket(&to.bucket.name)
        .key(key)
        .body(ByteStream::from(bytes))
        .set_content_type(object.content_type.clone())
        .set_content_encoding(object.content_encoding.clone())
        .set_content_language(object.content_language.clone())
        .set_content_disposition(object.content_disposition.clone())
        .set_cache_control(object.cache_control.clone())
        .set_metadata(Some(metadata(object, origin)))
        .customize()
        .config_override(patiently());
    let put = put.send().await.map_err(|error| Side::Writing(trouble(&error)))?;
    Ok(unquoted(put.e_tag()))
}

async fn put_parts(
    object: &GetObjectOutput,
    origin: &str,
    first: Vec<u8>,
    reader: &mut Reader,
    to: &Target<'_>,
    key: &str,
) -> Result<Option<String>, Side> {
    let started = to
        .client
        .create_multipart_upload()
        .bucket(&to.bucket.name)
        .key(key)
        .set_content_type(object.content_type.clone())
        .set_content_encoding(object.content_encoding.clone())
        .set_content_language(object.content_language.clone())
        .set_content_disposition(object.content_disposition.clone())
        .set_cache_control(object.cache_control.clone())
        .set_metadata(Some(metadata(object, origin)))
        .send()
        .await
        .map_err(|error| Side::Writing(trouble(&error)))?;
    let upload = started.upload_id().unwrap_or_default().to_owned();
    let sent = send_parts(first, reader, to, key, &upload).await;
    // The object changes only when the parts are put together.
    let parts = match sent.and_then(|parts| if to.leave.live() { Ok(parts) } else { Err(Side::Lease) }) {
        Ok(parts) => parts,
        Err(side) => {
            // Best effort: the bucket's own rules clear what is left of it.
            let _left =
                to.client.abort_multipart_upload().bucket(&to.bucket.name).key(key).upload_id(upload).send().await;
            return Err(side);
        }
    };
    let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let done = to
        .client
        .complete_multipart_upload()
        .bucket(&to.bucket.name)
        .key(key)
        .upload_id(upload)
        .multipart_upload(whole)
        .customize()
        .config_override(patiently());
    let done = done.send().await.map_err(|error| Side::Writing(trouble(&error)))?;
    Ok(unquoted(done.e_tag()))
}

async fn send_parts(
    first: Vec<u8>,
    reader: &mut Reader,
    to: &Target<'_>,
    key: &str,
    upload: &str,
) -> Result<Vec<CompletedPart>, Side> {
    let mut parts = Vec::new();
    let mut next = first;
    while !next.is_empty() {
        let number = i32::try_from(parts.len() + 1).unwrap_or(i32::MAX);
        let part = to
            .client
            .upload_part()
            .bucket(&to.bucket.name)
            .key(key)
            .upload_id(upload)
            .part_number(number)
            .body(ByteStream::from(next))
            .customize()
            .config_override(patiently());
        let part = part.send().await.map_err(|error| Side::Writing(trouble(&error)))?;
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
        next = reader.part().await?;
    }
    Ok(parts)
}

/// The SHA-256 and the length of what the bucket gives for this key.
async fn read_back(bucket: &Bucket, client: &Client, key: &str) -> Result<(Digest, u64), Side> {
    let object = client
        .get_object()
        .bucket(&bucket.name)
        .key(key)
        .send()
        .await
        .map_err(|error| Side::Reading(trouble(&error)))?;
    let mut reader = Reader { body: object.body, sum: Context::new(&SHA256), count: 0 };
    while !reader.part().await?.is_empty() {}
    Ok((reader.sum.finish(), reader.count))
}

/// Keeps the bucket's own content of these keys under `.lifeboat/replaced/<run>/` before it is overwritten.
pub(super) async fn set_aside(
    bucket: &Bucket,
    keys: &BTreeSet<String>,
    run: &str,
    leave: &Leave<'_>,
) -> Result<usize, Side> {
    let client = bucket.client().await.map_err(Side::Writing)?;
    for key in keys {
        if !leave.live() {
            return Err(Side::Lease);
        }
        let copy = client
            .copy_object()
            .bucket(&bucket.name)
            .key(format!(".lifeboat/replaced/{run}/{key}"))
            .copy_source(escape(&format!("{}/{key}", bucket.name)))
            .customize()
            .config_override(patiently());
        copy.send().await.map_err(|error| Side::Writing(trouble(&error)))?;
        leave.did();
    }
    Ok(keys.len())
}

/// Percent-encodes all but unreserved characters and `/` (RFC 3986 section 2).
fn escape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    out
}

fn hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_key_is_escaped_for_a_header() {
        assert_eq!(super::escape("b/a b/ü+%"), "b/a%20b/%C3%BC%2B%25");
    }
}
