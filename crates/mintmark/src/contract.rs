//! `mintmark contract`: the four validation commands of the preflight auth contract, as they are written there, against a
//! running platform, each followed by its negatives: the wrong token where the right one was.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::api::{self, Control};
use crate::demo::Stage;
use crate::failure::Failure;
use crate::home::Home;
use crate::screen;

/// A command as the contract writes it (section 5); only the hosts are replaced.
struct Written {
    name: &'static str,
    about: &'static str,
    text: &'static str,
}

const A: Written =
    Written { name: "A", about: "the BFF reads the policies", text: include_str!("../contract/a.sh") };
const B: Written =
    Written { name: "B", about: "the preflight service takes a job", text: include_str!("../contract/b.sh") };
const C: Written =
    Written { name: "C", about: "the control plane lists tenants", text: include_str!("../contract/c.sh") };
const D: Written =
    Written { name: "D", about: "the control plane takes jobs over", text: include_str!("../contract/d.sh") };

/// The job that command B creates and command D takes over.
const JOB: &str = "job_manual_verify_101";

/// What the commands are run with.
#[derive(Clone)]
struct Surroundings {
    bff: String,
    service: String,
    control: String,
    preflight_jwt: String,
    control_token: String,
    tenant: String,
}

/// What came back.
struct Answer {
    status: u16,
    body: Value,
}

/// Runs all of them; an error when one did not answer as it must.
pub async fn contract(root: &Path) -> Result<(), Failure> {
    let stage = Stage::recall(&Home::existing(root)?)?;
    let control = Control::new(&stage.control_url, &stage.control_token)?;
    let order = json!({ "tenantId": stage.production_tenant, "scopes": mintmark_auth::scope::PREFLIGHT });
    let issued = control.post("/api/admin/preflight-tokens", &order).await?;
    let right = Surroundings {
        bff: stage.console_url.clone().unwrap_or_else(|| stage.gateway_url.clone()),
        service: stage.gateway_url.clone(),
        control: stage.control_url.clone(),
        preflight_jwt: api::text(&issued, "token")?.to_owned(),
        control_token: stage.control_token.clone(),
        tenant: stage.production_tenant.clone(),
    };
    screen::heading("The validation commands of the preflight auth contract");
    let mut failed = positives(&right)?;
    let registry = format!("/api/admin/sync/jobs?tenantId={}", stage.production_tenant);
    let known = control.list(&registry).await?.iter().any(|job| job["jobId"] == JOB);
    failed += judge("D", "and the registry has the job", known, "");
    screen::heading("The same with the wrong token where the right one was");
    failed += negatives(&right)?;
    if failed > 0 {
        return Err(Failure::new(format!("{failed} of the contract's checks did not answer as they must")));
    }
    screen::line("Every command answered as the contract says.");
    Ok(())
}

/// The commands with the tokens that they name; how many failed.
fn positives(right: &Surroundings) -> Result<usize, Failure> {
    let mut failed = 0;
    let policies = right.run(&A)?;
    let listed = policies.body["policies"].as_array().or_else(|| policies.body["items"].as_array());
    let count = listed.map_or(0, Vec::len);
    let good = policies.status == 200 && count > 0;
    failed += judge(A.name, A.about, good, &format!("{}, {count} policies", policies.status));

    let job = right.run(&B)?;
    // The same request again is answered with the job as it stands.
    let good = [200, 201, 202].contains(&job.status) && job.body["jobId"] == JOB;
    failed += judge(B.name, B.about, good, &job.in_words());

    let tenants = right.run(&C)?;
    let count = tenants.body["items"].as_array().map_or(0, Vec::len);
    let good = tenants.status == 200 && count > 0;
    failed += judge(C.name, C.about, good, &format!("{}, {count} tenants", tenants.status));

    let synced = right.run(&D)?;
    let of = &synced.body["tenants"][0];
    let good = synced.status == 200 && of["tenantId"] == right.tenant.as_str();
    let words = format!("{}, {} received, {} new", synced.status, of["received"], of["created"]);
    failed += judge(D.name, D.about, good, if good { &words } else { "" });
    if !good {
        screen::line(&synced.in_words());
    }
    Ok(failed)
}

/// The commands with another token in each place; all must be 401 `AUTHENTICATION_REQUIRED`.
fn negatives(right: &Surroundings) -> Result<usize, Failure> {
    let control_for_jwt = Surroundings { preflight_jwt: right.control_token.clone(), ..right.clone() };
    let jwt_for_control = Surroundings { control_token: right.preflight_jwt.clone(), ..right.clone() };
    let nobody = Surroundings {
        preflight_jwt: "not-a-token".to_owned(),
        control_token: "not-a-token".to_owned(),
        ..right.clone()
    };
    let mut failed = 0;
    for (command, wrong, about) in [
        (&A, &control_for_jwt, "with the control token"),
        (&A, &nobody, "with no token at all"),
        (&B, &control_for_jwt, "with the control token"),
        (&B, &nobody, "with no token at all"),
        (&C, &jwt_for_control, "with the PREFLIGHT_JWT"),
        (&C, &nobody, "with no token at all"),
        (&D, &jwt_for_control, "with the PREFLIGHT_JWT as Authorization"),
        (&D, &control_for_jwt, "with the control token as X-Upstream-Token"),
        (&D, &nobody, "with no token at all"),
    ] {
        let answer = wrong.run(command)?;
        let good = answer.status == 401 && answer.body["code"] == "AUTHENTICATION_REQUIRED";
        failed += judge(command.name, about, good, &answer.in_words());
    }
    Ok(failed)
}

/// Prints one line; 1 where it failed.
fn judge(name: &str, about: &str, good: bool, result: &str) -> usize {
    let verdict = if good { "pass" } else { "FAIL" };
    let result = if result.is_empty() { verdict.to_owned() } else { format!("{verdict}: {result}") };
    screen::check(good, &format!("{name}  {about}"), &result);
    usize::from(!good)
}

impl Surroundings {
    /// Runs a command in a shell whose `curl` also says the status.
    fn run(&self, command: &Written) -> Result<Answer, Failure> {
        let hosts = [
            ("https://bff.printprice.pro", &self.bff),
            ("https://service.printprice.pro", &self.service),
            ("https://control.printprice.pro", &self.control),
        ];
        let text =
            hosts.iter().fold(command.text.to_owned(), |text, (there, here)| text.replace(there, here));
        let script = format!(
            "curl() {{ command curl --silent --show-error --max-time 60 --write-out '\\n%{{http_code}}' \"$@\"; }}\n{text}"
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .env("PREFLIGHT_JWT", &self.preflight_jwt)
            .env("PPOS_CONTROL_TOKEN", &self.control_token)
            .env("ACTIVE_TENANT_ID", &self.tenant)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = said.rsplit_once('\n').unwrap_or(("", ""));
        let status = status.trim().parse().unwrap_or(0);
        if !output.status.success() || status == 0 {
            let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Failure::new(format!(
                "command {} could not be run ({error}): is the platform up (`make run`), and curl installed (`make setup`)?",
                command.name
            )));
        }
        Ok(Answer { status, body: serde_json::from_str(body).unwrap_or(Value::Null) })
    }
}

impl Answer {
    /// Status, code and sentence, or the job's state.
    fn in_words(&self) -> String {
        let member = |name: &str| self.body[name].as_str().unwrap_or_default();
        let words = match (member("code"), member("state")) {
            ("", state) => state.to_owned(),
            (code, _) if self.status == 401 => code.to_owned(),
            (code, _) => format!("{code}: {}", member("detail")),
        };
        format!("{} {words}", self.status).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_contracts_hosts_and_variables() {
        for (command, host, variables) in [
            (
                &A,
                "https://bff.printprice.pro/api/preflight/jobs/policies",
                &["PREFLIGHT_JWT", "ACTIVE_TENANT_ID"][..],
            ),
            (&B, "https://service.printprice.pro/api/v2/jobs", &["PREFLIGHT_JWT"]),
            (&C, "https://control.printprice.pro/api/admin/tenants", &["PPOS_CONTROL_TOKEN"]),
            (
                &D,
                "https://control.printprice.pro/api/admin/sync/jobs",
                &["PPOS_CONTROL_TOKEN", "PREFLIGHT_JWT"],
            ),
        ] {
            assert!(command.text.contains(host), "{}", command.name);
            for variable in variables {
                assert!(command.text.contains(&format!("${{{variable}}}")), "{}: {variable}", command.name);
            }
        }
        assert!(B.text.contains(JOB));
    }
}
