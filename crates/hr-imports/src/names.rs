//! What the names of one file stand for, as far as its own imports tell.

use ruff_python_ast::Expr;
use rustc_hash::FxHashMap;

use crate::import::{Form, Import};

/// Local names bound by imports, and the dotted paths they stand for: `np` is `numpy`, `TC` is `typing.TYPE_CHECKING`.
#[derive(Debug, Default)]
pub(crate) struct Names {
    bound: FxHashMap<String, String>,
}

impl Names {
    /// Binds what an import statement binds.
    pub(crate) fn bind_import(&mut self, import: &Import) {
        let module = &import.module;
        match &import.form {
            Form::Module { alias: Some(alias) } => self.bind(alias, module.clone()),
            Form::Module { alias: None } => {
                let top = top_level(module);
                self.bind(top, top.to_owned());
            }
            Form::Names(names) => {
                for name in names.iter().filter(|name| name.name != "*") {
                    let local = name.alias.as_ref().unwrap_or(&name.name);
                    self.bind(local, format!("{module}.{}", name.name));
                }
            }
            Form::Star | Form::Call(_) => {}
        }
    }

    fn bind(&mut self, local: &str, path: String) {
        self.bound.insert(local.to_owned(), path);
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

/// Whether an import statement binds a name that occurs in `source`.
pub(crate) fn binds_anything_in(import: &Import, source: &str) -> bool {
    match &import.form {
        Form::Module { alias: Some(alias) } => source.contains(alias.as_str()),
        Form::Module { alias: None } => source.contains(top_level(&import.module)),
        Form::Names(names) => {
            names.iter().any(|name| source.contains(name.alias.as_ref().unwrap_or(&name.name).as_str()))
        }
        Form::Star | Form::Call(_) => false,
    }
}

fn top_level(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}
