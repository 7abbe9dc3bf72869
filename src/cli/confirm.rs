//! Nothing that moves a service starts by a slip of the hand: the group's name is typed, or given with `--yes-i-mean`.

use super::{complaint::Complaint, screen::Screen};
use crate::model::GroupName;

/// Lets the verb go on only when the person means this group.
pub(super) fn confirm(screen: &Screen, verb: &str, group: &GroupName, yes: Option<&str>) -> Result<(), Complaint> {
    let flag = format!("--yes-i-mean {group}");
    match yes {
        Some(name) if name == group.as_str() => return Ok(()),
        Some(name) => {
            let what = format!("--yes-i-mean says {name}, and this would {verb} {group}");
            return Err(Complaint::typed(what, format!("nothing was started; add {flag} if you mean it")));
        }
        None => {}
    }
    match screen.ask(&format!("This will {verb} {group}. Type the group's name to go on: ")) {
        Some(typed) if typed == group.as_str() => Ok(()),
        Some(typed) => Err(Complaint::typed(
            format!("{typed:?} is not {group}, so nothing was started"),
            format!("type the group's name, or add {flag}"),
        )),
        None => Err(Complaint::typed(
            format!("this would {verb} {group}, and nobody is at a terminal to confirm it"),
            format!("add {flag}"),
        )),
    }
}
