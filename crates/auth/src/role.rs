use crate::named::named;

named! {
    /// What a person may do with a brand; a higher role includes the lower ones.
    BrandRole, "brand role" {
        /// Sees batches, tokens and events, and downloads packs (minting-security: "any authenticated member").
        Member = "member",
        /// Also mints, and generates exports.
        Admin = "admin",
        /// Also manages the brand's people.
        Owner = "owner",
    }
}

named! {
    /// What a person may do with evidence (platform-security): three separate roles, none includes another.
    EvidenceRole, "evidence role" {
        /// May never view evidence.
        User = "USER",
        /// Decrypts evidence of an active dispute.
        Arbitrator = "ARBITRATOR",
        /// Decrypts evidence for audit and governance.
        Governance = "GOVERNANCE",
    }
}

named! {
    /// A tenant's subscription tier: how much, never what.
    Tier, "tier" {
        /// The default.
        Free = "free",
        /// Paid.
        Pro = "pro",
        /// Largest.
        Enterprise = "enterprise",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_parse_accepts_any_case_and_lists_the_set() {
        assert_eq!("ADMIN".parse(), Ok(BrandRole::Admin));
        assert_eq!("arbitrator".parse(), Ok(EvidenceRole::Arbitrator));
        let message = "root".parse::<BrandRole>().unwrap_err().to_string();
        assert_eq!(message, "a brand role is one of member admin owner");
        assert!(BrandRole::Owner > BrandRole::Admin && BrandRole::Admin > BrandRole::Member);
        assert_eq!(serde_json::to_value(EvidenceRole::User).unwrap(), "USER");
        assert_eq!(serde_json::from_value::<Tier>("pro".into()).unwrap(), Tier::Pro);
    }
}
