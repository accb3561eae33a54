//! Who may do what: role by operation by the state of the dispute.
//!
//! The vault judges this itself, from the claims of a token that was minted for the one call; that the edge judged before
//! is of no weight here. Nothing is judged by a record's own fields but whose it is and of what it is evidence.

use mintmark_auth::{Actor, CallRole, DisputeClaim, DisputeState, Principal};
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use serde_json::{Value, json};

use super::record::{Record, Subject, SubjectKind};

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Store a record.
    Upload,
    /// See what is known of records without decrypting them.
    Read,
    /// Decrypt a record.
    Content,
    /// Set or lift a hold.
    Hold,
    /// See the proof of an erasure.
    Proof,
    /// Read the audit.
    Audit,
    /// Start work on all records of the tenant.
    Operate,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 7] = [
        Operation::Upload,
        Operation::Read,
        Operation::Content,
        Operation::Hold,
        Operation::Proof,
        Operation::Audit,
        Operation::Operate,
    ];

    /// Under which name a refusal of it is audited: that of the act.
    pub const fn action(self) -> &'static str {
        match self {
            Operation::Upload => "EVIDENCE_UPLOADED",
            Operation::Read => "EVIDENCE_READ",
            Operation::Content => "EVIDENCE_ACCESSED",
            Operation::Hold => "LEGAL_HOLD_CHANGED",
            Operation::Proof => "ERASURE_PROOF_READ",
            Operation::Audit => "AUDIT_READ",
            Operation::Operate => "OPERATION_STARTED",
        }
    }
}

/// By what right somebody calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// A person's evidence role, or the API scope that stands for one.
    Role(CallRole),
    /// An operator, with the control token.
    Operator,
    /// The control plane for itself: its jobs.
    Service,
}

impl Right {
    /// Every right there is.
    pub const ALL: [Right; 6] = [
        Right::Role(CallRole::User),
        Right::Role(CallRole::Arbitrator),
        Right::Role(CallRole::Governance),
        Right::Role(CallRole::AdminRead),
        Right::Operator,
        Right::Service,
    ];

    /// As it stands in audit entries and refusals.
    pub fn name(self) -> &'static str {
        match self {
            Right::Role(role) => role.as_str(),
            Right::Operator => "operator",
            Right::Service => "service",
        }
    }
}

/// What an allowed call reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// What the caller uploaded, in the dispute of the call.
    Own,
    /// Whatever belongs to the dispute of the call.
    Dispute,
    /// Whatever is the tenant's; of a call that names a dispute, what belongs to it.
    Tenant,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another role is needed.
    Role,
    /// The call names no dispute.
    NoDispute,
    /// The dispute is closed.
    Closed,
    /// The record belongs to another dispute.
    OtherDispute,
    /// Somebody else uploaded it.
    NotOwn,
}

impl Refusal {
    /// As it stands in the audit.
    pub const fn name(self) -> &'static str {
        match self {
            Refusal::Role => "role",
            Refusal::NoDispute => "no_dispute",
            Refusal::Closed => "dispute_closed",
            Refusal::OtherDispute => "other_dispute",
            Refusal::NotOwn => "not_own",
        }
    }
}

/// The table.
///
/// # Errors
/// The reason of a refusal.
pub fn judge(
    operation: Operation,
    right: Right,
    dispute: Option<DisputeState>,
) -> std::result::Result<Reach, Refusal> {
    use CallRole::{AdminRead, Arbitrator, Governance, User};
    let in_dispute = |reach| if dispute.is_some() { Ok(reach) } else { Err(Refusal::NoDispute) };
    let in_open_dispute = |reach| match dispute {
        Some(DisputeState::Open) => Ok(reach),
        Some(DisputeState::Closed) => Err(Refusal::Closed),
        None => Err(Refusal::NoDispute),
    };
    match (operation, right) {
        (Operation::Upload, Right::Role(User | Arbitrator | Governance)) => in_open_dispute(Reach::Dispute),
        (Operation::Read, Right::Role(User)) => in_dispute(Reach::Own),
        (Operation::Read, Right::Role(Arbitrator)) => in_dispute(Reach::Dispute),
        (Operation::Content, Right::Role(Arbitrator)) => in_open_dispute(Reach::Dispute),
        (Operation::Read | Operation::Content | Operation::Hold, Right::Role(Governance))
        | (Operation::Proof | Operation::Audit, Right::Role(Governance | AdminRead))
        | (Operation::Audit, Right::Service)
        | (Operation::Operate, Right::Operator) => Ok(Reach::Tenant),
        _ => Err(Refusal::Role),
    }
}

/// Who calls: out of the verified token alone.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose things.
    pub tenant: TenantId,
    /// In whose name.
    pub actor: Actor,
    /// By what right.
    pub right: Right,
    /// The dispute that the call is about.
    pub dispute: Option<DisputeClaim>,
}

impl Caller {
    /// Reads a verified service token.
    ///
    /// # Errors
    /// 401 for whoever brought another credential.
    pub fn of(who: &Principal) -> Result<Self> {
        let Principal::Service(service) = who else { return Err(Fault::unauthenticated()) };
        let (right, dispute) = match service.person() {
            None => (Right::Service, None),
            Some(person) => (person.role().map_or(Right::Operator, Right::Role), person.dispute()),
        };
        Ok(Caller { tenant: service.tenant().clone(), actor: who.actor(), right, dispute })
    }

    /// What the caller may reach with this operation.
    ///
    /// # Errors
    /// The reason of a refusal.
    pub fn reach(&self, operation: Operation) -> std::result::Result<Reach, Refusal> {
        judge(operation, self.right, self.dispute.map(|dispute| dispute.state))
    }

    /// Whether a record lies within that.
    ///
    /// # Errors
    /// The reason of a refusal.
    pub fn covers(&self, reach: Reach, record: &Record) -> std::result::Result<(), Refusal> {
        let subject = self.subject();
        if reach != Reach::Tenant && subject.is_none() || subject.is_some_and(|it| it != record.subject) {
            return Err(Refusal::OtherDispute);
        }
        if reach == Reach::Own && record.uploaded_by != self.actor.to_string() {
            return Err(Refusal::NotOwn);
        }
        Ok(())
    }

    /// What the call is about.
    pub fn subject(&self) -> Option<Subject> {
        self.dispute.map(|dispute| Subject { kind: SubjectKind::Dispute, id: dispute.id.to_string() })
    }

    /// What the audit says of the caller beside the name.
    pub fn detail(&self) -> Value {
        let mut detail = json!({ "right": self.right.name() });
        if let Some(dispute) = self.dispute {
            detail["dispute"] = json!(dispute.id.to_string());
        }
        detail
    }

    /// What a refused caller hears.
    pub fn refused(&self, operation: Operation, why: Refusal) -> Fault {
        match why {
            Refusal::Role | Refusal::NotOwn => {
                let sentence = "your role for evidence does not carry this";
                Fault::forbidden("EVIDENCE_ROLE_REQUIRED", sentence).with("role", self.right.name())
            }
            Refusal::NoDispute => {
                let sentence = "this role reaches evidence through its dispute, and the call names none";
                Fault::forbidden("EVIDENCE_ROLE_REQUIRED", sentence).with("role", self.right.name())
            }
            Refusal::Closed if operation == Operation::Upload => {
                Fault::conflict("DISPUTE_CLOSED", "the dispute is closed: it takes no further evidence")
            }
            Refusal::Closed => {
                let sentence = "the dispute is closed: only GOVERNANCE reads its evidence now";
                Fault::forbidden("DISPUTE_CLOSED", sentence)
            }
            Refusal::OtherDispute => Fault::not_found("evidence record"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row a right: what each operation gives without a dispute, in an open one and in a closed one. O: own, D: of the
    /// dispute, T: of the tenant, -: role, n: no dispute, c: closed.
    const TABLE: [(&str, &str); 6] = [
        //             upload read content hold proof audit operate
        ("USER", "nDc nOO --- --- --- --- ---"),
        ("ARBITRATOR", "nDc nDD nDc --- --- --- ---"),
        ("GOVERNANCE", "nDc TTT TTT TTT TTT TTT ---"),
        ("admin:read", "--- --- --- --- TTT TTT ---"),
        ("operator", "--- --- --- --- --- --- TTT"),
        ("service", "--- --- --- --- --- TTT ---"),
    ];

    #[test]
    fn judge_is_exactly_the_table() {
        for (right, (name, row)) in Right::ALL.into_iter().zip(TABLE) {
            assert_eq!(right.name(), name);
            for (operation, cells) in Operation::ALL.into_iter().zip(row.split(' ')) {
                let states = [None, Some(DisputeState::Open), Some(DisputeState::Closed)];
                for (state, cell) in states.into_iter().zip(cells.chars()) {
                    let given = match judge(operation, right, state) {
                        Ok(Reach::Own) => 'O',
                        Ok(Reach::Dispute) => 'D',
                        Ok(Reach::Tenant) => 'T',
                        Err(Refusal::Role) => '-',
                        Err(Refusal::NoDispute) => 'n',
                        Err(Refusal::Closed) => 'c',
                        Err(other) => panic!("{other:?} is not judged here"),
                    };
                    assert_eq!(given, cell, "{name} {operation:?} {state:?}");
                }
            }
        }
    }
}
