//! `command`: runs a program of the operator's own.
//!
//! Promises: no shell reads the words of `run`; the program runs in a process group of its own, which is killed when the time
//! is up or the run lets go of it; what it printed is kept without the values of `secretEnv`. It inherits lifeboat's
//! environment (it needs `PATH` and the like), and is told what it runs for ([`Call::environment`]).
//!
//! Assumes that exit code 0 means done and any other means not done. Being killed, by us or by anybody, means unknown; then `check`
//! is asked, and without one a step is repeated only when it says `idempotent` or `readOnly`. A crash of lifeboat in the middle
//! leaves the program running: its outcome is unknown too.

mod observe;
mod params;

use std::{collections::BTreeMap, fmt, sync::Arc};

use futures::future::BoxFuture;
use secrecy::ExposeSecret;

pub use self::params::descriptor;
use crate::{
    model::{Attempt, Endpoint, Facts, Observed, Verb},
    net::program::{self, Ended, Program},
    port::{Call, Descriptor, Driver, Permit, SecretError, Secrets},
    spec::CommandParams,
};

/// The driver of `command`.
pub struct RunProgram {
    secrets: Arc<dyn Secrets>,
}

impl RunProgram {
    /// Asks `secrets` for the values of `secretEnv` at each run.
    pub fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self { secrets }
    }

    async fn run(&self, params: &CommandParams, words: &[&str], call: &Call) -> Result<Ended, SecretError> {
        let mut secret_env = BTreeMap::new();
        for (name, reference) in &params.secret_env {
            secret_env.insert(name.as_str(), self.secrets.resolve(reference)?.expose_secret().to_owned());
        }
        let told = call.environment();
        let mut env: Vec<(&str, &str)> =
            params.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        env.extend(told.iter().map(|(name, value)| (*name, value.as_str())));
        let program = Program { words, directory: params.directory.as_deref(), env, secret_env: &secret_env };
        Ok(program::run(&program, call.timeout).await)
    }

    async fn look(&self, call: &Call) -> Observed {
        let params = match params::parse(&call.with) {
            Ok(params) => params,
            Err(found) => {
                return Observed::Refused {
                    facts: Facts::default(),
                    expected: "the parameters of `command`".into(),
                    found,
                };
            }
        };
        if params.check.is_empty() {
            return observe::unchecked(&params, call.in_doubt);
        }
        let words: Vec<&str> = params.check.iter().map(String::as_str).collect();
        match self.run(&params, &words, call).await {
            Ok(ended) => observe::checked(ended),
            Err(error) => Observed::Unknown { why: error.to_string() },
        }
    }

    async fn execute(&self, permit: &Permit, call: &Call) -> Attempt {
        let not_run = |why: String| Attempt::NotApplied { why, retry: false };
        let params = match params::parse(&call.with) {
            Ok(params) => params,
            Err(why) => return not_run(why),
        };
        let words = match params::words(&params) {
            Ok(words) => words,
            Err(why) => return not_run(why),
        };
        if !permit.live() {
            return not_run("the lease was lost before the program was started".into());
        }
        match self.run(&params, &words, call).await {
            Ok(ended) => observe::attempt(ended),
            Err(error) => not_run(error.to_string()),
        }
    }
}

impl fmt::Debug for RunProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunProgram")
    }
}

impl Driver for RunProgram {
    fn descriptor(&self, verb: Verb) -> Option<&'static Descriptor> {
        descriptor(verb)
    }

    fn observe<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Observed> {
        Box::pin(self.look(call))
    }

    fn act<'a>(&'a self, permit: &'a Permit, call: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(self.execute(permit, call))
    }

    fn undo<'a>(&'a self, _: &'a Permit, _: &'a Call) -> BoxFuture<'a, Attempt> {
        Box::pin(async {
            Attempt::NotApplied { why: "a program cannot be taken back; declare an `undo` step".into(), retry: false }
        })
    }

    fn endpoints(&self, call: &Call) -> Vec<Endpoint> {
        let Ok(params) = params::parse(&call.with) else { return Vec::new() };
        let programs = [
            params.run.first().map(String::as_str),
            params.shell.as_ref().map(|_| "/bin/sh"),
            params.check.first().map(String::as_str),
        ];
        programs
            .into_iter()
            .flatten()
            .map(|program| Endpoint {
                address: program.to_owned(),
                region: None,
                purpose: format!("program of step {}", call.step),
            })
            .collect()
    }
}
