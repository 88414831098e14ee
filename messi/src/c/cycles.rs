//! Structs in an order in which they can be declared: none holds itself, and what is held comes first.

use super::plan::{Field, Message, Place, Value};
use crate::error::Error;
use crate::model::Model;

/// The messages that each message's struct holds.
pub(super) fn held(messages: &[Message]) -> Vec<Vec<usize>> {
    let held = |field: &Field| match (field.place, &field.value) {
        (Place::Static(_), Value::Message(message)) => Some(*message),
        _ => None,
    };
    messages.iter().map(|message| message.fields.iter().filter_map(held).collect()).collect()
}

/// All nodes of a graph, what can be reached from a node before it where there is no cycle. Without recursion: a
/// hostile file nests as deep as it likes.
pub(super) fn post_order(edges: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::new();
    let mut seen = vec![false; edges.len()];
    for root in 0..edges.len() {
        let mut path = Vec::new();
        if !seen[root] {
            seen[root] = true;
            path.push((root, 0));
        }
        while let Some((node, next)) = path.last_mut() {
            if let Some(&inner) = edges[*node].get(*next) {
                *next += 1;
                if !seen[inner] {
                    seen[inner] = true;
                    path.push((inner, 0));
                }
            } else {
                order.push(*node);
                path.pop();
            }
        }
    }
    order
}

/// For each node a number that it has in common with those that it can reach, and that can reach it.
fn components(edges: &[Vec<usize>]) -> Vec<usize> {
    let mut reversed = vec![Vec::new(); edges.len()];
    for (from, to) in edges.iter().enumerate() {
        for &to in to {
            reversed[to].push(from);
        }
    }
    // Kosaraju's algorithm.
    let mut components = vec![usize::MAX; edges.len()];
    for &root in post_order(edges).iter().rev() {
        let mut pending = vec![root];
        while let Some(node) = pending.pop() {
            if components[node] == usize::MAX {
                components[node] = root;
                pending.extend(&reversed[node]);
            }
        }
    }
    components
}

/// A struct cannot hold itself: where messages are recursive they are behind pointers.
pub(super) fn break_cycles(messages: &mut [Message]) {
    let components = components(&held(messages));
    for (i, message) in messages.iter_mut().enumerate() {
        for field in message.fields.iter_mut().filter(|field| !field.pinned) {
            if let Value::Message(inner) = field.value
                && components[inner] == components[i]
            {
                field.place = Place::Pointer;
            }
        }
    }
}

/// What is still recursive is so because it must be in the struct.
pub(super) fn check_cycles(model: &Model, messages: &[Message], order: &[usize]) -> Result<(), Error> {
    let mut position = vec![0; messages.len()];
    for (i, &message) in order.iter().enumerate() {
        position[message] = i;
    }
    for (i, message) in messages.iter().enumerate() {
        for field in &message.fields {
            if let (Value::Message(inner), Place::Static(_)) = (&field.value, field.place)
                && position[*inner] >= position[i]
            {
                let what = "makes a message hold itself: remove max_count or FT_STATIC here, or use another message";
                return Err(model.error(&field.descriptor, format!("`{}` {what}", field.descriptor.name())));
            }
        }
    }
    Ok(())
}
