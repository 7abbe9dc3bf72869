//! The process is killed before and after each record (S1, S2, S12).

use lifeboat::driver::fake::Script;

use super::{
    book::books,
    life::{Lives, at_append, timed},
};
use crate::stage::Dies;

#[tokio::test(start_paused = true)]
async fn killed_at_any_record_every_shipped_runbook_resumes_to_the_same_end() {
    for book in books() {
        let script = timed(&book);
        let whole = Lives::new(&book, &script, None).until_rest(Vec::new()).await;
        whole.ended_well(&book, "without trouble").await;
        let mut deaths = 0;
        // Acts that take no time, too: an effect that came before its record would be in the world by then.
        let at_once = Script::default();
        for (script, dies) in [(&script, Dies::Before), (&script, Dies::After), (&at_once, Dies::Before)] {
            for at in 0..whole.appends {
                let lived = Lives::new(&book, script, None).until_rest(vec![at_append(at, dies)]).await;
                lived.ended_well(&book, &format!("killed {dies:?} record {at}")).await;
                deaths += lived.deaths;
            }
        }
        println!("{}: {} records, {deaths} deaths", book.title, whole.appends);
        assert!(deaths >= 2 * usize::try_from(whole.appends).unwrap(), "{}: only {deaths} deaths", book.title);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_while_it_takes_a_run_over_leaves_it_to_the_next() {
    for book in books() {
        let script = timed(&book);
        let whole = Lives::new(&book, &script, None).until_rest(Vec::new()).await;
        for at in 0..whole.appends {
            for (first, second, again) in
                [(Dies::After, Dies::Before, 0), (Dies::After, Dies::After, 0), (Dies::Before, Dies::After, 1)]
            {
                let dooms = vec![at_append(at, first), at_append(again, second)];
                let lived = Lives::new(&book, &script, None).until_rest(dooms).await;
                lived.ended_well(&book, &format!("killed {first:?} record {at}, then {second:?} record {again}")).await;
            }
        }
    }
}
