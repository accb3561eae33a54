//! The templates, and the answers made of them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LANGUAGE, LOCATION};
use askama::Template;
use mintmark_fault::{Fault, Kind};
use mintmark_preflight_engine::policy::{Finding, Report, RuleResult, Severity, Status};

use super::view::{JobView, PolicyView, moment};
use crate::app::desk::Visitor;

/// Who looks, for the head of each page.
pub struct Reader {
    pub tenant: String,
    pub until: String,
}

impl From<&Visitor> for Reader {
    fn from(visitor: &Visitor) -> Self {
        Self { tenant: visitor.tenant().to_string(), until: moment(visitor.until()) }
    }
}

#[derive(Template)]
#[template(path = "welcome.html")]
pub struct WelcomePage {
    pub reader: Option<Reader>,
    /// Why the form is shown again.
    pub refusal: Option<String>,
}

#[derive(Template)]
#[template(path = "jobs.html")]
pub struct JobsPage {
    pub reader: Option<Reader>,
    pub jobs: Vec<JobView>,
    /// Name, value of the query, whether it is chosen.
    pub filters: Vec<(&'static str, String, bool)>,
    /// The query of the next page.
    pub next: Option<String>,
}

#[derive(Template)]
#[template(path = "job.html")]
pub struct JobPage {
    pub reader: Option<Reader>,
    pub job: JobView,
    pub report: Option<Report>,
}

#[derive(Template)]
#[template(path = "policies.html")]
pub struct PoliciesPage {
    pub reader: Option<Reader>,
    pub policies: Vec<PolicyView>,
}

#[derive(Template)]
#[template(path = "refused.html")]
pub struct RefusedPage {
    pub reader: Option<Reader>,
    pub headline: String,
    pub sentence: String,
}

impl JobPage {
    /// Findings of one severity, as the report orders them.
    fn findings(&self, wanted: Severity) -> Vec<&Finding> {
        let findings = self.report.iter().flat_map(|report| &report.findings);
        findings.filter(|finding| finding.severity == wanted).collect()
    }

    /// Title, class and findings of each severity that has some.
    fn sections(&self) -> Vec<(&'static str, &'static str, Vec<&Finding>)> {
        let severities = [("Errors", "bad", Severity::Error), ("Warnings", "warn", Severity::Warning)];
        let sections =
            severities.into_iter().map(|(title, class, wanted)| (title, class, self.findings(wanted)));
        sections.filter(|(_, _, findings)| !findings.is_empty()).collect()
    }

    /// Rules that could not be evaluated at all.
    fn open_rules(&self) -> Vec<&RuleResult> {
        let rules = self.report.iter().flat_map(|report| &report.rules);
        rules.filter(|rule| rule.status == Status::NotEvaluated).collect()
    }

    /// `page 3, 12.5 mm from the left and 40 mm from the bottom of the trim box`, as far as it is known.
    fn place(finding: &Finding) -> String {
        let page = finding.page.map(|page| format!("Page {page}"));
        let corner = finding.bbox_mm.map(|[left, bottom, right, top]| {
            format!(
                "{left:.1}, {bottom:.1} mm from the trimmed corner, {:.1} × {:.1} mm",
                right - left,
                top - bottom
            )
        });
        let object = finding.object.map(|object| format!("object {} {}", object.0, object.1));
        let operator = finding.operator.map(|operator| format!("operator {operator}"));
        [page, corner, object, operator].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    fn status(rule: &RuleResult) -> &'static str {
        match rule.status {
            Status::Pass => "pass",
            Status::Fail => "fail",
            Status::NotEvaluated => "not evaluated",
        }
    }

    fn values(finding: &Finding) -> String {
        match (&finding.measured, &finding.limit) {
            (Some(measured), Some(limit)) => format!("{} where the limit is {}", measured.text, limit.text),
            (Some(measured), None) => measured.text.clone(),
            (None, Some(limit)) => format!("the limit is {}", limit.text),
            (None, None) => String::new(),
        }
    }
}

/// A page with any status.
pub fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(body) => HttpResponse::build(status)
            .content_type("text/html; charset=utf-8")
            .insert_header((CONTENT_LANGUAGE, "en"))
            .body(body),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            HttpResponse::InternalServerError()
                .content_type("text/plain; charset=utf-8")
                .body("this page cannot be shown now")
        }
    }
}

/// Go there with GET.
pub fn see_other(path: &'static str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

/// What went wrong, for a person.
pub fn refused(fault: &Fault, reader: Option<Reader>) -> HttpResponse {
    let (status, headline) = match fault.kind() {
        Kind::NotFound => (StatusCode::NOT_FOUND, "Not found"),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "Not allowed"),
        Kind::InvalidInput => (StatusCode::BAD_REQUEST, "That cannot be asked"),
        Kind::Unavailable | Kind::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "Not available now"),
        Kind::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
        _ => {
            tracing::error!(error = %mintmark_fault::Chain(fault), "a page failed");
            let sentence = "Something went wrong on our side. Try again; if it keeps happening, tell whoever runs this console.".to_owned();
            return page(
                StatusCode::INTERNAL_SERVER_ERROR,
                &RefusedPage { reader, headline: "Something went wrong".to_owned(), sentence },
            );
        }
    };
    page(status, &RefusedPage { reader, headline: headline.to_owned(), sentence: sentence(fault.message()) })
}

/// A fault's message as a sentence of a page: with a capital and a full stop.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
