//! What the names of one file stand for, as far as its own imports tell.

use std::collections::HashMap;

use ruff_python_ast::Expr;

/// Local names bound by imports, and the dotted paths they stand for: `np` is `numpy`, `TC` is `typing.TYPE_CHECKING`.
#[derive(Debug, Default)]
pub(crate) struct Names {
    bound: HashMap<String, String>,
    /// The names in the order in which they were bound, however often.
    order: Vec<String>,
}

impl Names {
    pub(crate) fn bind(&mut self, local: &str, path: String) {
        self.bound.insert(local.to_owned(), path);
        self.order.push(local.to_owned());
    }

    /// How many times a name was bound so far.
    pub(crate) fn count(&self) -> usize {
        self.order.len()
    }

    /// Whether a name that occurs in `source` was bound after the first `count` ones.
    pub(crate) fn bound_since(&self, count: usize, source: &str) -> bool {
        self.order[count..].iter().any(|name| source.contains(name.as_str()))
    }

    /// Whether a name that occurs in `source` was bound to something that ends otherwise: by `as`, or as an attribute.
    pub(crate) fn renames_anything_in(&self, source: &str) -> bool {
        self.bound.iter().any(|(local, path)| local != path && source.contains(local.as_str()))
    }

    /// The dotted path that an expression made of names and attributes stands for.
    pub(crate) fn path(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Name(name) => {
                Some(self.bound.get(name.id.as_str()).cloned().unwrap_or_else(|| name.id.to_string()))
            }
            Expr::Attribute(attribute) => {
                let mut attributes = vec![attribute.attr.as_str()];
                let mut value = &*attribute.value;
                while let Expr::Attribute(inner) = value {
                    attributes.push(inner.attr.as_str());
                    value = &inner.value;
                }
                let mut path = match value {
                    Expr::Name(_) => self.path(value)?,
                    _ => return None,
                };
                for name in attributes.into_iter().rev() {
                    path.push('.');
                    path.push_str(name);
                }
                Some(path)
            }
            _ => None,
        }
    }
}
