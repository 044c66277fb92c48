//! What happens to logged messages beside the request path: opening, time-stamping, archiving and cleaning (wire.md 4.2, 5.2,
//! 4.6).

pub mod archiving;
pub mod cleaning;
pub mod opening;
pub mod schedule;
pub mod time_stamping;
