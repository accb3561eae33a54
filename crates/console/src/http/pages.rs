//! Pages. A request without a good token ends at the form; everything else goes through a visitor.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderValue, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, web};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_preflight_engine::policy::Report;
use mintmark_service::config::Secret;
use mintmark_wire::preflight::v1::{JobState, ListJobsRequest, Verdict};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::cookie::Cookies;
use super::say::{
    JobPage, JobsPage, PoliciesPage, Reader, RefusedPage, WelcomePage, page, refused, see_other,
};
use super::view::JobView;
use crate::app::desk::{Desk, Visitor};

/// Jobs of one page.
const PAGE: u32 = 50;

/// The form, or the jobs for whoever has a token already.
pub async fn welcome(
    request: HttpRequest,
    desk: web::Data<Desk>,
    cookies: web::Data<Cookies>,
) -> HttpResponse {
    match visitor(&request, &desk, &cookies).await {
        Ok(_) => see_other("/jobs"),
        Err(_) => page(StatusCode::OK, &WelcomePage { reader: None, refusal: None }),
    }
}

/// What the form sends.
#[derive(Deserialize)]
pub struct SignIn {
    token: String,
}

/// Takes a pasted token. A bad one shows the form again, without what was pasted.
pub async fn sign_in(
    request: HttpRequest,
    form: web::Form<SignIn>,
    desk: web::Data<Desk>,
    cookies: web::Data<Cookies>,
) -> HttpResponse {
    if !from_own_page(request.headers()) {
        let sentence =
            "This form was sent from somewhere else. Open the console and paste the token there.".to_owned();
        let refused = RefusedPage { reader: None, headline: "Not allowed".to_owned(), sentence };
        return page(StatusCode::FORBIDDEN, &refused);
    }
    let token = Secret::new(bare(form.into_inner().token));
    match desk.admit(token.expose()).await {
        Ok(visitor) => with_cookie("/jobs", cookies.keep(&token, visitor.until())),
        Err(fault) if fault.kind() == Kind::Unauthenticated => {
            let refusal = "That is no PREFLIGHT_JWT that is in force. Tokens live five minutes: make a fresh one and paste it whole.";
            page(StatusCode::UNAUTHORIZED, &WelcomePage { reader: None, refusal: Some(refusal.to_owned()) })
        }
        Err(fault) => refused(&fault, None),
    }
}

/// Forgets the token.
pub async fn sign_out(request: HttpRequest, cookies: web::Data<Cookies>) -> HttpResponse {
    if !from_own_page(request.headers()) {
        return see_other("/");
    }
    forgotten(&cookies)
}

/// Which jobs are wanted.
#[derive(Deserialize, Default)]
pub struct JobsQuery {
    #[serde(default)]
    show: String,
    #[serde(default)]
    cursor: String,
}

/// Jobs, newest first.
pub async fn jobs(
    request: HttpRequest,
    query: web::Query<JobsQuery>,
    desk: web::Data<Desk>,
    cookies: web::Data<Cookies>,
) -> HttpResponse {
    let visitor = match visitor(&request, &desk, &cookies).await {
        Ok(visitor) => visitor,
        Err(answer) => return answer,
    };
    let (state, verdict) = wanted(&query.show);
    let asked = ListJobsRequest {
        page_size: PAGE,
        page_token: query.cursor.clone(),
        state: state.into(),
        verdict: verdict.into(),
        batch_id: None,
    };
    let found = match visitor.jobs(asked).await {
        Ok(found) => found,
        Err(fault) => return refused(&fault, Some(Reader::from(&visitor))),
    };
    let filters =
        FILTERS.iter().map(|(name, value)| (*name, (*value).to_owned(), *value == query.show)).collect();
    let next = (!found.next_page_token.is_empty()).then(|| {
        let mut next = Serializer::new(String::new());
        next.append_pair("show", &query.show).append_pair("cursor", &found.next_page_token).finish()
    });
    let jobs = found.jobs.into_iter().map(JobView::from).collect();
    page(StatusCode::OK, &JobsPage { reader: Some(Reader::from(&visitor)), jobs, filters, next })
}

/// A job, with its report where there is one.
pub async fn job(
    request: HttpRequest,
    path: web::Path<String>,
    desk: web::Data<Desk>,
    cookies: web::Data<Cookies>,
) -> HttpResponse {
    let visitor = match visitor(&request, &desk, &cookies).await {
        Ok(visitor) => visitor,
        Err(answer) => return answer,
    };
    let reader = Reader::from(&visitor);
    match looked_up(&visitor, &path).await {
        Ok((job, report)) => page(StatusCode::OK, &JobPage { reader: Some(reader), job, report }),
        Err(fault) => refused(&fault, Some(reader)),
    }
}

async fn looked_up(visitor: &Visitor, job_id: &str) -> Result<(JobView, Option<Report>)> {
    let job = JobView::from(visitor.job(job_id).await?);
    if !job.reported {
        return Ok((job, None));
    }
    let answer = visitor.report(job_id).await?;
    let report = serde_json::from_str(&answer.report_json).map_err(Fault::internal)?;
    // The job that came with the report is the one that it is of.
    Ok((answer.job.map_or(job, JobView::from), Some(report)))
}

/// The policies that jobs may name.
pub async fn policies(
    request: HttpRequest,
    desk: web::Data<Desk>,
    cookies: web::Data<Cookies>,
) -> HttpResponse {
    let visitor = match visitor(&request, &desk, &cookies).await {
        Ok(visitor) => visitor,
        Err(answer) => return answer,
    };
    let reader = Reader::from(&visitor);
    match visitor.policies().await {
        Ok(policies) => {
            let policies = policies.into_iter().map(Into::into).collect();
            page(StatusCode::OK, &PoliciesPage { reader: Some(reader), policies })
        }
        Err(fault) => refused(&fault, Some(reader)),
    }
}

/// A path that there is not.
pub async fn unknown() -> HttpResponse {
    refused(&Fault::not_found("page"), None)
}

const FILTERS: [(&str, &str); 6] = [
    ("All", ""),
    ("Under way", "running"),
    ("Pass", "pass"),
    ("Warnings", "warnings"),
    ("Fail", "fail"),
    ("Incomplete", "incomplete"),
];

fn wanted(show: &str) -> (JobState, Verdict) {
    match show {
        "running" => (JobState::Running, Verdict::Unspecified),
        "pass" => (JobState::Unspecified, Verdict::Pass),
        "warnings" => (JobState::Unspecified, Verdict::PassWithWarnings),
        "fail" => (JobState::Unspecified, Verdict::Fail),
        "incomplete" => (JobState::Unspecified, Verdict::Incomplete),
        _ => (JobState::Unspecified, Verdict::Unspecified),
    }
}

/// Who looks, by the cookie; otherwise the answer that leads to the form, or says what is wrong.
async fn visitor(
    request: &HttpRequest,
    desk: &Desk,
    cookies: &Cookies,
) -> std::result::Result<Visitor, HttpResponse> {
    let Some(token) = cookies.read(request) else { return Err(see_other("/")) };
    desk.admit(token.expose()).await.map_err(|fault| match fault.kind() {
        Kind::Unauthenticated => forgotten(cookies),
        _ => refused(&fault, None),
    })
}

fn forgotten(cookies: &Cookies) -> HttpResponse {
    with_cookie("/", cookies.forget())
}

fn with_cookie(path: &'static str, cookie: Result<HeaderValue>) -> HttpResponse {
    match cookie {
        Ok(cookie) => {
            let mut answer = see_other(path);
            answer.headers_mut().insert(SET_COOKIE, cookie);
            answer
        }
        Err(fault) => refused(&fault, None),
    }
}

/// People paste the whole header, too.
fn bare(pasted: String) -> String {
    let pasted = pasted.trim();
    let pasted = pasted.strip_prefix("Authorization:").map_or(pasted, str::trim);
    pasted.strip_prefix("Bearer ").map_or(pasted, str::trim).to_owned()
}

/// Whether a form comes from our own page, as far as the browser says: nobody else's page shall sign a person in or out.
/// Programs send no such header and have nothing to gain.
fn from_own_page(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").map(HeaderValue::as_bytes).is_none_or(|site| site == b"same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_takes_a_token_out_of_what_people_paste() {
        for pasted in ["a.b.c", " a.b.c\n", "Bearer a.b.c", "Authorization: Bearer a.b.c"] {
            assert_eq!(bare(pasted.to_owned()), "a.b.c", "{pasted}");
        }
    }
}
