//! Configuration from the environment: read completely before anything binds, all problems at once.

mod app_env;
mod getters;
mod peers;
mod reader;
mod secret;
mod variable;

pub use app_env::AppEnv;
pub use peers::is_loopback;
pub use reader::{ConfigErrors, Reader};
pub use secret::Secret;
pub use variable::{Need, Secrecy, Variable};
