//! What a run was like: gathered, shown, saved, compared.

pub(crate) mod compare;
pub(crate) mod figures;
pub(crate) mod format;
pub(crate) mod gather;
pub(crate) mod hgrm;
pub(crate) mod plot;
pub(crate) mod table;
