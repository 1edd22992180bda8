//! What is worth knowing of a campaign's records in production, counted where it is not the usual: a stored user costs
//! nothing here.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use steadfast_engine::Answer;
use steadfast_storage::{Claim, Merged, Outcome};

/// What a client has met in a campaign since it was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CampaignCounters {
    /// Look-ups that found nothing: users who are new to the campaign, and those who are not in it.
    pub absent: u64,
    /// Look-ups that the storage could not answer, or not in time. Far above 0: see to the storage.
    pub failed: u64,
    /// Claims that met another variation, which stayed: a second process was faster, or decides under other settings.
    pub conflicts: u64,
    /// Confirmed decisions that are somebody else's: another variation than this client's, or another's count of the
    /// visitor.
    pub adopted: u64,
}

/// The counters of a client, by campaign.
#[derive(Debug, Default)]
pub(crate) struct Counters(RwLock<HashMap<Box<str>, OfCampaign>>);

#[derive(Debug, Default)]
struct OfCampaign {
    absent: AtomicU64,
    failed: AtomicU64,
    conflicts: AtomicU64,
    adopted: AtomicU64,
}

impl Counters {
    /// What the storage answered to a look-up.
    pub(crate) fn looked_up(&self, campaign: &str, answer: &Answer) {
        match answer {
            Answer::Found(_) => {}
            Answer::Absent => self.count(campaign, |of| &of.absent),
            Answer::Failed(_) => self.count(campaign, |of| &of.failed),
        }
    }

    /// What the storage answered to a claim.
    pub(crate) fn merged(&self, claim: &Claim, merged: &Merged) {
        let wanted = &claim.record;
        if merged.outcome == Outcome::Kept && merged.record.variation_name != wanted.variation_name {
            self.count(&wanted.campaign_key, |of| &of.conflicts);
        }
    }

    /// A confirmed decision is somebody else's.
    pub(crate) fn adopted(&self, campaign: &str) {
        self.count(campaign, |of| &of.adopted);
    }

    /// All campaigns in which there was anything to count.
    pub(crate) fn read(&self) -> BTreeMap<String, CampaignCounters> {
        let campaigns = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let read = |of: &OfCampaign| CampaignCounters {
            absent: of.absent.load(Ordering::Relaxed),
            failed: of.failed.load(Ordering::Relaxed),
            conflicts: of.conflicts.load(Ordering::Relaxed),
            adopted: of.adopted.load(Ordering::Relaxed),
        };
        campaigns.iter().map(|(campaign, of)| (campaign.to_string(), read(of))).collect()
    }

    fn count(&self, campaign: &str, which: impl Fn(&OfCampaign) -> &AtomicU64) {
        let add = |of: &OfCampaign| which(of).fetch_add(1, Ordering::Relaxed);
        if let Some(of) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(campaign) {
            add(of);
            return;
        }
        // Campaigns come from settings, so that there are never many.
        add(self.0.write().unwrap_or_else(PoisonError::into_inner).entry(campaign.into()).or_default());
    }
}
