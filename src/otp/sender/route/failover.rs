use super::{Country, Route, arrivals::Arrivals, lane::Lane};
use crate::{
    audit::{self, Act, Event, ProviderChange, Sink},
    clock::{Clock, SystemClock},
    eventual::BoxFuture,
    limit::Name,
    otp::{
        CodeSender,
        sender::{Answered, CodeChecker, Message, Reported, SendError, Taken},
    },
    phone::Phone,
    store::SharedStore,
};
use std::{fmt, future::ready, sync::Arc};

/// The providers of a [`Route`] as one sender.
///
/// What is known of providers, such as failures in a row, is known of this value and its clones. Budgets are in the store.
#[derive(Clone)]
pub struct Failover {
    lanes: Vec<Arc<Lane>>,
    countries: Arc<[Country]>,
    arrivals: Arc<Arrivals>,
    desk: Desk,
}

/// What providers share.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) store: SharedStore,
    pub(super) clock: Arc<dyn Clock>,
    sink: Option<Arc<dyn Sink>>,
}

/// Of providers that are asked to send one message. One that says that it sent nothing can be wrong, so that its owner gets a
/// second message, but never a third.
const MOST_ASKED: usize = 2;

impl Failover {
    pub(super) fn new(route: Route, store: SharedStore) -> Self {
        let Route { providers, countries } = route;
        let lanes = providers.into_iter().map(|provider| Arc::new(Lane::new(provider))).collect();
        let desk = Desk { store, clock: Arc::new(SystemClock::new()), sink: None };
        Self { lanes, countries: countries.into(), arrivals: Arc::default(), desk }
    }

    /// Who is told when a provider is left alone, is asked again, or its budget ends.
    #[must_use]
    pub fn audit(mut self, sink: impl Sink + 'static) -> Self {
        self.desk.sink = Some(Arc::new(sink));
        self
    }

    /// Goes by `clock`, in tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.desk.clock = Arc::new(clock);
        self
    }

    /// The providers for a number, in the order in which they are asked: those whose messages do not arrive come last.
    fn lanes(&self, to: &Phone) -> Vec<Arc<Lane>> {
        let (country, now) = (self.country(to), self.desk.clock.ticks());
        let mut order: Vec<usize> = match country {
            Some(at) => self.countries[at].order.clone(),
            None => (0..self.lanes.len()).collect(),
        };
        order.sort_by_key(|&lane| self.arrivals.is_last(lane, country, now));
        order.into_iter().filter_map(|at| self.lanes.get(at).cloned()).collect()
    }

    /// The place of the country of a number.
    fn country(&self, to: &Phone) -> Option<usize> {
        self.countries.iter().position(|country| country.has(to))
    }
}

impl CodeSender for Failover {
    fn send(&self, message: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let (mut lanes, desk) = (self.lanes(&message.to), self.desk.clone());
        lanes.retain(|lane| lane.takes(&message.content));
        Box::pin(async move {
            let since = desk.clock.ticks();
            let (mut asked, mut told) = (0, SendError::NotSent);
            for lane in lanes {
                let takes = match lane.enter(&desk).await {
                    Ok(takes) => takes,
                    // What a provider said says more than that another was not asked.
                    Err(error) => {
                        told = if asked == 0 { error } else { told };
                        continue;
                    }
                };
                asked += 1;
                let waited = desk.clock.ticks().saturating_sub(since);
                match lane.send(&desk, message.clone().after(waited), takes).await {
                    // Where a country counts, it does so whoever else fails.
                    Err(error) if error.is_for_another() => {
                        told = if told == SendError::Region { told } else { error };
                    }
                    outcome => return outcome,
                }
                if asked == MOST_ASKED {
                    break;
                }
            }
            Err(told)
        })
    }

    fn ready(&self, to: &Phone) -> Result<(), SendError> {
        let mut told = Err(SendError::NotSent);
        for lane in self.lanes(to) {
            match lane.ready(&self.desk) {
                Ok(()) => return Ok(()),
                // Of several budgets, the one that has room first.
                Err(SendError::OverBudget { retry_after: wait }) => match told {
                    Err(SendError::OverBudget { retry_after }) if retry_after <= wait => {}
                    _ => told = Err(SendError::OverBudget { retry_after: wait }),
                },
                Err(_) => {}
            }
        }
        told
    }

    fn is_paused(&self) -> bool {
        self.lanes.iter().all(|lane| lane.is_paused(&self.desk))
    }

    fn holder(&self, to: &Phone) -> Option<Name> {
        let mut lanes = self.lanes(to).into_iter();
        let first = lanes.find(|lane| lane.ready(&self.desk).is_ok())?;
        first.holds(to).then(|| first.name())
    }

    fn checkers(&self) -> Vec<(Name, Arc<dyn CodeChecker>)> {
        let checker = |lane: &Arc<Lane>| Some((lane.name(), lane.checker(&self.desk)?));
        self.lanes.iter().filter_map(checker).collect()
    }

    fn reported(&self, report: &Reported) {
        let Some(at) = self.lanes.iter().position(|lane| lane.name() == report.via) else { return };
        let (country, now) = (self.country(&report.to), self.desk.clock.ticks());
        if self.arrivals.note(at, country, report.arrived, now) {
            self.desk.tell(report.via, ProviderChange::Demoted);
        }
        self.lanes[at].reported(report);
    }

    fn hears_answers(&self) -> bool {
        self.lanes.iter().any(|lane| lane.hears_answers())
    }

    fn answered(&self, answered: Answered) -> BoxFuture<'static, ()> {
        match self.lanes.iter().find(|lane| Some(lane.name()) == answered.via) {
            Some(lane) => lane.answered(&self.desk, answered),
            None => Box::pin(ready(())),
        }
    }

    fn sends_notices(&self) -> bool {
        self.lanes.iter().any(|lane| lane.sends_notices())
    }

    fn reveals_codes(&self) -> bool {
        self.lanes.iter().any(|lane| lane.reveals_codes())
    }
}

impl Desk {
    pub(super) fn tell(&self, provider: Name, change: ProviderChange) {
        audit::record(self.sink.as_deref(), Event::new(Act::Provider { provider, change }));
    }
}

impl fmt::Debug for Failover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failover")
            .field("providers", &self.lanes)
            .field("countries", &self.countries)
            .finish_non_exhaustive()
    }
}
