//! Runbooks: every step for itself and among the others. What a group adds to it is judged in `usage`.

use super::{Graph, Notes, Use, World, expression, limit, repeated_names, safety, usage};
use crate::{
    manifest::{code::Code, locate::Path, suggest},
    model::{Capability, Verb},
    port::Descriptor,
    spec::{RunbookSpec, StepSpec, TargetKind},
};

/// A runbook and what is known of each step.
pub(super) struct Book<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) uses: &'a [Use<'a>],
    pub(super) steps: &'a [StepSpec],
    /// The verb of each step; `None` where it is unknown.
    pub(super) verbs: Vec<Option<Verb>>,
    /// The facts of each step's verb: of the drivers that its target has in the groups that use the runbook, or of
    /// all drivers when no group does.
    pub(super) facts: Vec<Vec<&'static Descriptor>>,
    pub(super) graph: Graph<'a>,
}

impl<'a> Book<'a> {
    fn of(world: &'a World<'a>, uses: &'a [Use<'a>], spec: &'a RunbookSpec) -> Self {
        let steps = spec.steps.as_slice();
        let verbs: Vec<Option<Verb>> = steps.iter().map(|step| step.uses.parse().ok()).collect();
        let graph = Graph::of(steps);
        let mut book = Self { world, uses, steps, verbs, facts: Vec::new(), graph };
        book.facts = steps
            .iter()
            .zip(&book.verbs)
            .map(|(step, verb)| verb.map(|verb| book.facts_of(step, verb)).unwrap_or_default())
            .collect();
        book
    }

    /// The facts about a verb, by the drivers of a step's target.
    pub(super) fn facts_of(&self, step: &StepSpec, verb: Verb) -> Vec<&'static Descriptor> {
        let catalog = self.world.catalog;
        let capability = verb.capability();
        if capability == Capability::General {
            return catalog.descriptor(None, capability, verb).into_iter().collect();
        }
        let mut drivers: Vec<&str> = Vec::new();
        for group in self.uses.iter().map(|using| &using.group.spec) {
            let target = group.targets.iter().find(|target| Some(&target.name) == step.target.as_ref());
            if let Some(Ok(kind)) = target.map(crate::spec::TargetSpec::kind)
                && kind.capability() == capability
                && !drivers.contains(&kind.driver())
            {
                drivers.push(kind.driver());
            }
        }
        if drivers.is_empty() && self.uses.is_empty() {
            drivers = catalog.drivers();
        }
        drivers.iter().filter_map(|driver| catalog.descriptor(Some(driver), capability, verb)).collect()
    }

    /// Places of the steps with this verb and target.
    pub(super) fn places(&self, verb: Verb, target: Option<&crate::model::TargetName>) -> Vec<usize> {
        let same = |(place, found): (usize, &Option<Verb>)| {
            (*found == Some(verb) && self.steps.get(place)?.target.as_ref() == target).then_some(place)
        };
        self.verbs.iter().enumerate().filter_map(same).collect()
    }

    /// Every step with its place, its verb and its path.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, &'a StepSpec, Option<Verb>, Path)> + '_ {
        let list = Path::spec().key("steps");
        self.steps
            .iter()
            .zip(&self.verbs)
            .enumerate()
            .map(move |(place, (step, verb))| (place, step, *verb, list.at(place)))
    }
}

pub(super) fn check(world: &World<'_>, uses: &[Use<'_>], notes: &mut Notes<'_, RunbookSpec>) {
    let spec = &notes.document.spec;
    let list = Path::spec().key("steps");
    if spec.steps.is_empty() {
        let help = "declare its steps; `lifeboat runbook scaffold` prints the built-in ones";
        notes.add_at_key(Code::EmptyRunbook, &list, "the runbook has no steps", help);
        return;
    }
    repeated_names(notes, &list, "step", spec.steps.iter().map(|step| step.name.as_str()));
    let book = Book::of(world, uses, spec);
    for (place, step, verb, path) in book.each() {
        check_verb(step, verb, &path, notes);
        check_needs(&book, step, &path, notes);
        limit::check(step, &path, notes);
        check_parameters(&step.with, book.facts.get(place).map_or(&[][..], Vec::as_slice), &path.key("with"), notes);
        check_undo(&book, step, verb, &path, notes);
    }
    check_cycle(&book, notes);
    safety::check(&book, notes);
    expression::check(&book, notes);
    for using in uses {
        usage::check(&book, *using, notes);
    }
}

fn check_verb(step: &StepSpec, verb: Option<Verb>, path: &Path, notes: &mut Notes<'_, RunbookSpec>) {
    let Some(verb) = verb else {
        let known = Verb::ALL.iter().filter(|verb| !verb.added()).map(|verb| verb.as_str());
        let help = suggest::help(&step.uses, known, "see `lifeboat explain LB0102`");
        notes.add(Code::UnknownVerb, &path.key("uses"), format!("there is no verb `{}`", step.uses), help);
        return;
    };
    if verb.added() {
        let message = format!("`{verb}` is nothing that a runbook does");
        notes.add(
            Code::UnknownVerb,
            &path.key("uses"),
            message,
            "remove the step: Lifeboat adds it to drills by itself",
        );
    }
    match (verb.capability() == Capability::General, &step.target) {
        (false, None) => {
            let message = format!("`{verb}` works on a target, and the step names none");
            notes.add(Code::VerbNeedsTarget, &path.key("uses"), message, "add `target:` with a target of the group");
        }
        (true, Some(target)) => {
            let message = format!("`{verb}` works on no target, and the step names `{target}`");
            notes.add(Code::VerbTakesNoTarget, &path.key("target"), message, "remove `target:`");
        }
        (false, Some(_)) | (true, None) => {}
    }
}

fn check_needs(book: &Book<'_>, step: &StepSpec, path: &Path, notes: &mut Notes<'_, RunbookSpec>) {
    for (index, need) in step.needs.iter().enumerate() {
        let at = path.key("needs").at(index);
        if !book.graph.places.contains_key(need.as_str()) {
            let known = book.steps.iter().map(|other| other.name.as_str()).filter(|name| *name != step.name.as_str());
            let help = suggest::help(need.as_str(), known, "add the step, or remove the need");
            notes.add(Code::UnknownStep, &at, format!("there is no step `{need}`"), help);
        } else if step.needs.iter().take(index).any(|earlier| earlier == need) {
            notes.add(Code::RepeatedNeed, &at, format!("`{need}` is needed twice"), "remove one of the two");
        }
    }
}

fn check_cycle(book: &Book<'_>, notes: &mut Notes<'_, RunbookSpec>) {
    if book.graph.order.is_some() {
        return;
    }
    let circle = book.graph.cycle();
    let names: Vec<&str> = circle.iter().filter_map(|place| Some(book.steps.get(*place)?.name.as_str())).collect();
    let Some((first, step)) = circle.first().and_then(|place| Some((*place, book.steps.get(*place)?))) else { return };
    let back = step.needs.iter().position(|need| Some(need.as_str()) == names.get(1).copied());
    let path = Path::spec().key("steps").at(first).key("needs");
    let path = back.map_or_else(|| path.clone(), |index| path.at(index));
    let message =
        format!("steps wait for each other: {}", names.join(", which needs ").replacen(", which needs", " needs", 1));
    notes.add(Code::Cycle, &path, message, "remove one of these needs");
}

/// Asks the drivers whether they take the parameters. The first name in backticks of their answer is where to look.
fn check_parameters(
    with: &serde_json::Map<String, serde_json::Value>,
    facts: &[&'static Descriptor],
    path: &Path,
    notes: &mut Notes<'_, RunbookSpec>,
) {
    for why in facts.iter().filter_map(|facts| (facts.check)(with).err()) {
        let word = why.split('`').nth(1).filter(|word| with.contains_key(*word));
        let at = word.map_or_else(|| path.clone(), |key| path.key(key));
        let mut words = why.split('`').skip(1).step_by(2);
        let meant = words.next().and_then(|found| suggest::closest(found, words));
        let help = meant.map_or_else(|| "correct or remove it".to_owned(), |word| format!("did you mean `{word}`?"));
        notes.add_at_key(Code::WrongParameter, &at, why.clone(), help);
    }
}

fn check_undo(book: &Book<'_>, step: &StepSpec, verb: Option<Verb>, path: &Path, notes: &mut Notes<'_, RunbookSpec>) {
    let Some(undo) = &step.undo else { return };
    let at = path.key("undo").key("uses");
    let Ok(undoes) = undo.uses.parse::<Verb>() else {
        let known = Verb::ALL.iter().map(|verb| verb.as_str());
        let help = suggest::help(&undo.uses, known, "see `lifeboat explain LB0115`");
        notes.add(Code::UnknownUndo, &at, format!("there is no verb `{}`", undo.uses), help);
        return;
    };
    let capability = undoes.capability();
    if capability != Capability::General && verb.is_some_and(|verb| verb.capability() != capability) {
        let message = format!("`{undoes}` cannot take back `{}`: it works on another kind of target", step.uses);
        notes.add(Code::UnknownUndo, &at, message, "use a verb of the same capability, or a general one");
        return;
    }
    let facts = book.facts_of(step, undoes);
    if facts.is_empty() {
        let message = format!("the target's driver has no `{undoes}`");
        notes.add(Code::UnknownUndo, &at, message, "use a verb that the driver has, or a general one");
    }
    check_parameters(&undo.with, &facts, &path.key("undo").key("with"), notes);
}

/// The capability that a target of a group offers.
pub(super) fn capability_of(target: &crate::spec::TargetSpec) -> Option<Capability> {
    target.kind().ok().as_ref().map(TargetKind::capability)
}
