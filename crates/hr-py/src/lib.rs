//! The compiled part of the `hotreload` Python package.
//!
//! Two halves share this module. In a *template*, `serve` puts CPython behind `hr-forkserver`'s `Interpreter`
//! trait. In a *client*, `Supervisor` and `Run` speak the protocol. What is better said in Python (pickling,
//! import hooks, how a program ends) is in `python/hotreload`; no message is declared there.
//!
//! One shared object serves every CPython from 3.10 on (`abi3`).

mod audit;
mod before;
mod client;
mod context;
mod ending;
mod events;
mod interpreter;
mod job;
mod loaded;
mod memory;
mod payload;
mod program;
mod records;
mod run;
mod sys;
mod undisturbed;

use pyo3::prelude::*;

/// The native module.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<interpreter::Server>()?;
    module.add_class::<audit::AuditFilter>()?;
    module.add_class::<before::Before>()?;
    module.add_class::<undisturbed::Undisturbed>()?;
    module.add_class::<client::Supervisor>()?;
    module.add_class::<records::State>()?;
    module.add_class::<records::Update>()?;
    module.add_class::<run::Run>()?;
    module.add_class::<job::Job>()?;
    module.add_class::<job::Results>()?;
    module.add_function(wrap_pyfunction!(loaded::content_of, module)?)?;
    module.add_function(wrap_pyfunction!(memory::pages_copied, module)?)?;
    Ok(())
}
