//! The order of a runbook's steps: who needs whom, directly or through others.

use std::collections::HashMap;

use crate::spec::StepSpec;

/// Steps and their needs. Unknown needs are left out; the runbook check reports them.
pub(in crate::manifest) struct Graph<'a> {
    /// Place of each step by its name, the first of equals.
    pub(in crate::manifest) places: HashMap<&'a str, usize>,
    /// Places that each step needs.
    pub(in crate::manifest) needs: Vec<Vec<usize>>,
    /// Places, each after everything it needs; `None` when steps wait for each other.
    pub(in crate::manifest) order: Option<Vec<usize>>,
    before: Vec<Set>,
}

/// A set of small numbers.
#[derive(Clone, Default)]
struct Set(Vec<u64>);

impl Set {
    fn with_room_for(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }
    fn insert(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }
    fn contains(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
    fn add(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }
}

impl<'a> Graph<'a> {
    pub(in crate::manifest) fn of(steps: &'a [StepSpec]) -> Self {
        let mut places = HashMap::with_capacity(steps.len());
        for (place, step) in steps.iter().enumerate() {
            places.entry(step.name.as_str()).or_insert(place);
        }
        let needs: Vec<Vec<usize>> = steps
            .iter()
            .map(|step| step.needs.iter().filter_map(|need| places.get(need.as_str()).copied()).collect())
            .collect();
        let order = order(&needs);
        let before = order.as_ref().map(|order| before(&needs, order)).unwrap_or_default();
        Self { places, needs, order, before }
    }

    /// `earlier` is among the steps that `step` needs, directly or through others. `true` where the order is not known
    /// because steps wait for each other: that is a finding of its own.
    pub(in crate::manifest) fn is_before(&self, earlier: usize, step: usize) -> bool {
        self.before.get(step).is_none_or(|set| set.contains(earlier))
    }

    /// Any of the places is before `step`.
    pub(in crate::manifest) fn any_before(&self, earlier: &[usize], step: usize) -> bool {
        earlier.iter().any(|earlier| self.is_before(*earlier, step))
    }

    /// The longest way through the steps when each takes `cost`: its length, and its steps in order.
    pub(in crate::manifest) fn longest(&self, cost: &[f64]) -> (f64, Vec<usize>) {
        let mut best: Vec<(f64, Option<usize>)> = vec![(0.0, None); cost.len()];
        let mut end = None;
        let mut most = 0.0;
        for step in self.order.iter().flatten().copied() {
            let needs = self.needs.get(step).map_or(&[][..], Vec::as_slice);
            let mut reached = (0.0, None);
            for need in needs {
                let until = best.get(*need).map_or(0.0, |best| best.0);
                if until > reached.0 {
                    reached = (until, Some(*need));
                }
            }
            reached.0 += cost.get(step).copied().unwrap_or(0.0);
            if reached.0 > most {
                most = reached.0;
                end = Some(step);
            }
            if let Some(place) = best.get_mut(step) {
                *place = reached;
            }
        }
        let mut way = Vec::new();
        while let Some(step) = end {
            way.push(step);
            end = best.get(step).and_then(|best| best.1);
        }
        way.reverse();
        (most, way)
    }

    /// The steps of one circle, the first repeated at the end; empty without one.
    pub(in crate::manifest) fn cycle(&self) -> Vec<usize> {
        // 0: not seen, 1: on the way, 2: done.
        let mut state = vec![0_u8; self.needs.len()];
        for start in 0..self.needs.len() {
            let mut way: Vec<(usize, usize)> = vec![(start, 0)];
            while let Some((step, next)) = way.pop() {
                let seen = state.get(step).copied().unwrap_or(2);
                if next == 0 && seen == 2 {
                    continue;
                }
                if let Some(state) = state.get_mut(step) {
                    *state = 1;
                }
                let need = self.needs.get(step).and_then(|needs| needs.get(next)).copied();
                let Some(need) = need else {
                    if let Some(state) = state.get_mut(step) {
                        *state = 2;
                    }
                    continue;
                };
                way.push((step, next + 1));
                match state.get(need) {
                    Some(1) => {
                        let from = way.iter().position(|(on_way, _)| *on_way == need).unwrap_or(0);
                        let mut circle: Vec<usize> = way.iter().skip(from).map(|(step, _)| *step).collect();
                        circle.push(need);
                        return circle;
                    }
                    Some(0) => way.push((need, 0)),
                    Some(_) | None => {}
                }
            }
        }
        Vec::new()
    }
}

/// Kahn's algorithm.
fn order(needs: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut missing: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (step, needs) in needs.iter().enumerate() {
        for need in needs {
            if let Some(list) = dependents.get_mut(*need) {
                list.push(step);
            }
        }
    }
    let mut order: Vec<usize> = (0..needs.len()).filter(|step| missing.get(*step) == Some(&0)).collect();
    let mut at = 0;
    while let Some(step) = order.get(at).copied() {
        at += 1;
        for dependent in dependents.get(step).into_iter().flatten() {
            if let Some(count) = missing.get_mut(*dependent) {
                *count -= 1;
                if *count == 0 {
                    order.push(*dependent);
                }
            }
        }
    }
    (order.len() == needs.len()).then_some(order)
}

fn before(needs: &[Vec<usize>], order: &[usize]) -> Vec<Set> {
    let mut all: Vec<Set> = vec![Set::default(); needs.len()];
    for step in order {
        let mut set = Set::with_room_for(needs.len());
        for need in needs.get(*step).into_iter().flatten() {
            set.insert(*need);
            if let Some(more) = all.get(*need) {
                set.add(more);
            }
        }
        if let Some(place) = all.get_mut(*step) {
            *place = set;
        }
    }
    all
}
