//! Chains of calls, and how much stack they need.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::Calls;
use super::names::Names;
use super::rules::{Rules, is_one};

/// The deepest chain from a function on.
#[derive(Clone, Copy)]
struct Deepest {
    bytes: u32,
    /// The next in the chain.
    next: Option<Step>,
}

/// A function in a chain, and the index of the budget that is left for repeats.
type Step = (u32, usize);

/// The chains of an image.
pub(crate) struct Chains<'a> {
    calls: &'a Calls,
    names: &'a Names,
    rules: &'a Rules,
    /// The bytes that a call pushes.
    call_bytes: u32,
    callees: BTreeMap<u32, BTreeSet<u32>>,
    /// How often the functions of each rule may still be entered.
    budgets: Vec<Vec<u8>>,
    deepest: BTreeMap<Step, Deepest>,
    /// The chain that is being followed.
    chain: Vec<Step>,
    pub(crate) faults: BTreeSet<String>,
    /// The lines of the rules that the image needs.
    pub(crate) used: BTreeSet<usize>,
}

impl<'a> Chains<'a> {
    pub(crate) fn new(
        calls: &'a Calls,
        names: &'a Names,
        rules: &'a Rules,
        call_bytes: u32,
    ) -> Self {
        let mut chains = Self {
            calls,
            names,
            rules,
            call_bytes,
            callees: BTreeMap::new(),
            budgets: vec![rules.repeat_limits()],
            deepest: BTreeMap::new(),
            chain: Vec::new(),
            faults: BTreeSet::new(),
            used: BTreeSet::new(),
        };
        chains.callees =
            calls.functions.keys().map(|address| (*address, chains.callees_of(*address))).collect();
        for address in calls.functions.keys() {
            let rule = rules.repeat(names.all(*address)).and_then(|index| rules.repeat_rule(index));
            if let Some(rule) = rule
                && !chains.used.contains(&rule.line)
                && chains.is_in_cycle(*address)
            {
                chains.used.insert(rule.line);
            }
        }
        chains
    }

    /// Whether a function can be reached from itself.
    fn is_in_cycle(&self, address: u32) -> bool {
        let mut seen = BTreeSet::new();
        let mut left = vec![address];
        while let Some(caller) = left.pop() {
            for callee in self.callees.get(&caller).into_iter().flatten() {
                if *callee == address {
                    return true;
                }
                if seen.insert(*callee) {
                    left.push(*callee);
                }
            }
        }
        false
    }

    /// The functions that a function may call: directly, through pointers, or by an import that
    /// calls back.
    fn callees_of(&mut self, address: u32) -> BTreeSet<u32> {
        let Some(function) = self.calls.functions.get(&address) else { return BTreeSet::new() };
        let mut callees: BTreeSet<u32> = function.calls.keys().copied().collect();
        let imports = function.imports.iter();
        let mut rules: Vec<_> = imports.flat_map(|import| self.rules.of_import(import)).collect();
        if !function.indirect_calls.is_empty() {
            let of_caller = self.rules.of_caller(self.names.all(address));
            if of_caller.is_empty() {
                let (name, at) = (self.names.one(address), &function.indirect_calls);
                self.faults.insert(format!(
                    "{name} calls through pointers (at {at:x?}), and stack.tsv names no target"
                ));
            }
            rules.extend(of_caller);
        }
        for rule in rules {
            let Some(pattern) = rule.target() else {
                self.used.insert(rule.line);
                continue;
            };
            for taken in &self.calls.address_taken {
                if is_one(pattern, self.names.all(*taken)) {
                    callees.insert(*taken);
                    self.used.insert(rule.line);
                }
            }
        }
        callees
    }

    /// The size of the deepest chain from a function, in bytes.
    pub(crate) fn depth(&mut self, start: u32) -> u32 {
        self.visit((start, 0)).bytes
    }

    /// The functions of the deepest chain from a function, and their frames.
    pub(crate) fn deepest(&mut self, start: u32) -> Vec<(String, u32)> {
        let mut chain = Vec::new();
        let mut step = Some((start, 0));
        // Recursion, which is a fault of its own, doesn't end.
        let mut seen = BTreeSet::new();
        while let Some(place) = step.filter(|place| seen.insert(*place)) {
            let Some(function) = self.calls.functions.get(&place.0) else { break };
            chain.push((self.names.one(place.0), function.frame_bytes));
            step = self.visit(place).next;
        }
        chain
    }

    fn visit(&mut self, step: Step) -> Deepest {
        if let Some(known) = self.deepest.get(&step) {
            return *known;
        }
        if let Some(first) = self.chain.iter().position(|place| *place == step) {
            let names: Vec<String> =
                self.chain[first..].iter().map(|place| self.names.one(place.0)).collect();
            self.faults.insert(format!("recursion: {}", names.join(" -> ")));
            return Deepest { bytes: 0, next: None };
        }
        self.chain.push(step);
        let mut deepest = Deepest { bytes: 0, next: None };
        for callee in self.callees.get(&step.0).cloned().unwrap_or_default() {
            let Some(next) = self.enter(callee, step.1) else { continue };
            let below = self.visit(next).bytes;
            if deepest.next.is_none() || below > deepest.bytes {
                deepest = Deepest { bytes: below, next: Some(next) };
            }
        }
        self.chain.pop();
        let own = self.calls.functions.get(&step.0).map_or(0, |function| function.frame_bytes);
        deepest.bytes += own + self.call_bytes;
        self.deepest.insert(step, deepest);
        deepest
    }

    /// The step into a function, if its rule allows it once more.
    fn enter(&mut self, callee: u32, budget: usize) -> Option<Step> {
        let Some(rule) = self.rules.repeat(self.names.all(callee)) else {
            return Some((callee, budget));
        };
        let mut left = self.budgets[budget].clone();
        left[rule] = left[rule].checked_sub(1)?;
        let known = self.budgets.iter().position(|budget| *budget == left);
        Some((
            callee,
            known.unwrap_or_else(|| {
                self.budgets.push(left);
                self.budgets.len() - 1
            }),
        ))
    }
}
