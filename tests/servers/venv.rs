//! Servers written in Python: each in an environment of its own, made once by whoever comes first and kept in the user's cache.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// A program of a Python package at one version, made when it is missing. `requirement` is what pip is asked for, without
/// the version.
pub fn program(name: &str, version: &str, requirement: &str, program: &str) -> PathBuf {
    let made = make(name, version, requirement);
    made.unwrap_or_else(|error| panic!("{name} {version} could not be made: {error}")).join("bin").join(program)
}

fn make(name: &str, version: &str, requirement: &str) -> io::Result<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .ok_or_else(|| io::Error::other("neither XDG_CACHE_HOME nor HOME is set"))?
        .join("lifeboat");
    fs::create_dir_all(&cache)?;
    let folder = cache.join(format!("{name}-{version}"));
    let made = folder.join(".complete");
    if made.exists() {
        return Ok(folder);
    }
    let lock = fs::File::create(cache.join(format!("{name}-{version}.lock")))?;
    lock.lock()?;
    if made.exists() {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| {
        Command::new(python).args(["-c", "import ensurepip, venv"]).output().is_ok_and(|done| done.status.success())
    });
    let python = python.ok_or_else(|| io::Error::other("no python3 with venv; install python3-venv"))?;
    run(Command::new(python).args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", &format!("{requirement}=={version}")]))?;
    fs::write(&made, version)?;
    Ok(folder)
}

fn run(command: &mut Command) -> io::Result<()> {
    let done = command.output()?;
    if done.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr))))
}
