//! Lets the program be laid out for little memory.
//!
//! A kernel maps 64 KiB of a file around each page that is touched. What a run calls is a seventh of the program and lies scattered over
//! all of it, so that nearly all of it is mapped; put together, it is a seventh that is read, and counted. `make build` measures what runs
//! call (`benches/layout.py`) and names the list in [`LAYOUT`]. Without it the linker's own order holds, and no word of ours reaches the
//! linker. Only places depend on it: a name that the program does not have is passed over.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script everything by its environment, and nothing here is asynchronous"
)]

use std::{env, process::Command};

/// Names a file with a symbol of the program in each line, in the order in which they are to lie.
const LAYOUT: &str = "LIFEBOAT_LAYOUT";
/// The target whose linker, rust-lld, is known to take these words.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The first glibc that reads addresses to be moved as bitmaps (`DT_RELR`), in its news of August 2022.
const BITMAPS: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={LAYOUT}");
    let Ok(layout) = env::var(LAYOUT) else { return };
    println!("cargo::rerun-if-changed={layout}");
    if env::var("TARGET").as_deref() != Ok(TARGET) {
        println!("cargo::warning={LAYOUT} is for {TARGET}: left out");
        return;
    }
    // <https://lld.llvm.org/ELF/> and its manual page.
    link(&format!("--symbol-ordering-file={layout}"));
    link("--no-warn-symbol-ordering");
    // A program asks for the glibc that it was built with, or a later one, in any case. The table of 41,000 addresses, each read at the
    // start, takes 20 KiB so, and not 1 MiB.
    if env::var("HOST").as_deref() == Ok(TARGET) && glibc().is_some_and(|version| version >= BITMAPS) {
        link("-z");
        link("pack-relative-relocs");
    }
}

fn link(word: &str) {
    println!("cargo::rustc-link-arg-bin=lifeboat=-Xlinker");
    println!("cargo::rustc-link-arg-bin=lifeboat={word}");
}

/// This machine's: `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let (major, minor) = std::str::from_utf8(&said.stdout).ok()?.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
