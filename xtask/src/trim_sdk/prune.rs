//! Removes from the frame of a crate what it lists but does not have any more: conversions, variants of the error with
//! their match arms, methods of waiters, and entries of registries.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::items::{File, body, paths};
use super::reach::Reached;
use crate::tidy::tokens::{Kind, Token, attribute, group};

/// What to remove of an item.
pub enum Removed {
    /// The whole item.
    All,
    /// These lines of it.
    Lines(Vec<RangeInclusive<usize>>),
}

/// Finds what a file of the frame must lose.
pub struct Pruner<'r, 'a> {
    reached: &'r Reached<'a>,
    /// The variants of the crate's error whose types are not kept. Their match arms name only them.
    lost: BTreeSet<&'a str>,
}

impl<'r, 'a> Pruner<'r, 'a> {
    /// Returns the pruner of a file.
    pub fn new(reached: &'r Reached<'a>, path: &str, file: &File<'a>) -> Self {
        let mut lost = BTreeSet::new();
        for item in file.items.iter().filter(|item| path == "error_meta.rs" && item.name == "Error") {
            let inside = inside(&item.tokens, body(&item.tokens));
            let variants = members(inside).into_iter().filter(|member| dangles(reached, member));
            lost.extend(variants.filter_map(|member| without_attributes(member).first().map(|token| token.text)));
        }
        Self { reached, lost }
    }

    /// Returns what to remove of an item.
    pub fn removed(&self, tokens: &[Token<'_>]) -> Removed {
        if !self.names_lost(tokens) {
            return Removed::Lines(Vec::new());
        }
        let calls = calls(tokens);
        if !calls.is_empty() {
            return Removed::Lines(calls.into_iter().filter(|call| self.names_lost(call)).filter_map(lines).collect());
        }
        let body = body(tokens);
        if body.is_empty() || self.names_lost(tokens.get(..body.start).unwrap_or_default()) {
            return Removed::All;
        }
        let mut removed = Vec::new();
        let mut before = tokens.get(body.start).map(|token| token.line);
        for member in members(inside(tokens, body)) {
            match self.removed(member) {
                // With the comments before it, which have no tokens.
                Removed::All => {
                    removed.extend(lines(member).map(|own| before.map_or(*own.start(), |line| line + 1)..=*own.end()))
                }
                Removed::Lines(lines) => removed.extend(lines),
            }
            before = member.last().map(|token| token.line);
        }
        Removed::Lines(removed)
    }

    fn names_lost(&self, tokens: &[Token<'_>]) -> bool {
        dangles(self.reached, tokens) || tokens.windows(4).any(|window| self.is_lost_variant(window))
    }

    /// Whether these tokens are `Error::Variant` or `Self::Variant` of a lost variant.
    fn is_lost_variant(&self, tokens: &[Token<'_>]) -> bool {
        match tokens {
            [owner, first, second, variant] => {
                let is_path = (owner.is("Error") || owner.is("Self")) && first.is(":") && second.is(":");
                is_path && self.lost.contains(variant.text)
            }
            _ => false,
        }
    }
}

fn dangles(reached: &Reached<'_>, tokens: &[Token<'_>]) -> bool {
    paths(tokens).iter().any(|path| reached.dangles(path))
}

/// Returns the tokens between the brackets of a group.
fn inside<'t, 'a>(tokens: &'t [Token<'a>], group: std::ops::Range<usize>) -> &'t [Token<'a>] {
    tokens.get(group.start + 1..group.end.saturating_sub(1)).unwrap_or_default()
}

/// Splits the inside of a body into methods, variants, match arms or statements.
fn members<'t, 'a>(mut tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut members = Vec::new();
    while !tokens.is_empty() {
        let start = without_attributes(tokens);
        let is_method = start.iter().take(2).any(|token| token.is("fn") || token.is("pub"));
        let mut at = tokens.len() - start.len();
        while let Some(rest) = tokens.get(at..).filter(|rest| !rest.is_empty()) {
            at += group(rest);
            let ends = |text: &str| rest.first().is_some_and(|token| token.is(text));
            if ends(";") || ends("{") || (ends(",") && !is_method) {
                break;
            }
        }
        let (member, rest) = tokens.split_at(at);
        members.push(member);
        tokens = rest;
    }
    members
}

/// Returns the calls `.insert…(…)` of a registry.
fn calls<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let is_call = |at: &usize| match tokens.get(*at..) {
        Some([dot, name, ..]) => dot.is(".") && name.kind == Kind::Word && name.text.starts_with("insert_"),
        _ => false,
    };
    let whole = |at: usize| tokens.get(at..at + 2 + group(tokens.get(at + 2..)?));
    (0..tokens.len()).filter(is_call).filter_map(whole).collect()
}

fn without_attributes<'t, 'a>(mut tokens: &'t [Token<'a>]) -> &'t [Token<'a>] {
    while let Some((_, after)) = attribute(tokens) {
        tokens = after;
    }
    tokens
}

fn lines(tokens: &[Token<'_>]) -> Option<RangeInclusive<usize>> {
    Some(tokens.first()?.line..=tokens.last()?.line)
}
