//! Configuration from the environment: read completely before anything binds, all problems at once.

mod app_env;
mod getters;
mod peers;
mod reader;
mod secret;

pub use app_env::AppEnv;
pub use peers::is_loopback;
pub use reader::{ConfigErrors, Reader, Variable, markdown};
pub use secret::Secret;
