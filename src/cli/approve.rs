//! `lifeboat approve`.

use std::path::PathBuf;

use super::{Desk, complaint::Complaint, exit::Exit, run::order};
use crate::model::{CommandBody, RunId, StepName};

/// Stand behind a run, or behind one of its steps, in your own name.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lifeboat approve orders-17                the run
  lifeboat approve orders-17 go-ahead       the step `go-ahead`
  lifeboat approve orders-17 go-ahead --deny --reason \"the standby is half an hour behind\"
  lifeboat approve orders-17 --key ~/.ssh/id_ed25519_sk

One person counts once; who asked for a run does not count as another person. With a key the
approval is signed, as `ssh-keygen -Y sign -n order@lifeboat.dev` does it, and kept with the run.
Where the group says `approvals: {signatures: Required}` it counts only so, and who asked for a
run approves it like the others.

Environment:
  LIFEBOAT_SSH_KEY          your own key; private, or public where the agent has it
  LIFEBOAT_ALLOWED_SIGNERS  whose key is whose, as ssh-keygen(1) reads it; default
                            keys/allowed_signers in the data folder
  LIFEBOAT_REVOKED_KEYS     keys that count no more: a revocation list or public keys, line by
                            line; default keys/revoked_keys in the data folder")]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: RunId,
    /// The step that waits; without it, the run.
    #[arg(value_name = "STEP")]
    step: Option<StepName>,
    /// Refuse instead.
    #[arg(long)]
    deny: bool,
    /// Why; kept as evidence.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Your own SSH key, private or, where the agent has it, public; by default the one that is set
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    seen: order::Seen,
}

pub(super) async fn run(args: Args, desk: &Desk) -> Result<Exit, Complaint> {
    let step = args.step;
    let body = if args.deny { CommandBody::Deny { step } } else { CommandBody::Approve { step } };
    order::give_signed(desk, &args.run, body, args.reason, args.seen, args.key).await
}
