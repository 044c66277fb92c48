//! What a run was like: gathered, shown, saved, compared.

pub(crate) mod figures;
pub(crate) mod gather;
pub(crate) mod hgrm;
