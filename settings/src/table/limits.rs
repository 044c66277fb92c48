//! `[anti-dos]`: how much is taken on at once.

use super::MOST;
use crate::parameter::Parameter;

const INI: &str = "proxy.ini";

pub(super) const TABLE: &[Parameter] = &[
    Parameter::switch("anti-dos", "enabled", true)
        .defined_in(INI)
        .means("bound the number of connections"),
    Parameter::number("anti-dos", "max-parallel-connections", 5000, (1, MOST, ""))
        .defined_in(INI)
        .means("connections that are served at once, for each port and worker"),
    Parameter::unused(
        "anti-dos",
        "max-cpu-load",
        "a worker that is busy accepts later by itself",
    )
    .defined_in(INI),
    Parameter::unused("anti-dos", "max-heap-usage", "there is no heap that fills up").defined_in(INI),
    Parameter::unused(
        "anti-dos",
        "min-free-file-handles",
        "a listener without free file handles waits until there are some",
    )
    .defined_in(INI),
];
