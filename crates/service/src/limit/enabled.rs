use crate::config::{AppEnv, Reader};

/// Reads `RATE_LIMIT_ENABLED`, which the limiter and those who ask it have in common; false is refused in production.
pub fn enabled(reader: &mut Reader, app_env: Option<AppEnv>) -> Option<bool> {
    let about = "whether anything is limited; false is refused in production";
    let enabled = reader.boolean("RATE_LIMIT_ENABLED", true, about)?;
    // An APP_ENV that could not be read is reported by itself.
    if !enabled && app_env.is_some_and(AppEnv::is_production) {
        reader.problem(
            "RATE_LIMIT_ENABLED",
            "is false in production: remove it, or set APP_ENV=development where nothing is worth protecting",
        );
        return None;
    }
    Some(enabled)
}
