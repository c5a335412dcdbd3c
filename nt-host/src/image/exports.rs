//! The exports that an image can import, by module and name.

use super::runtime;
use crate::export::Exports;
use crate::{cng, ex, io, ke, mm, ndis, netio, ob, ps, rtl, se, wsk};

/// The exports of all files. An `EXPORTS` that is missing here is unused, which the compiler
/// reports.
const ALL: &[Exports] = &[
    cng::EXPORTS,
    ex::pool::EXPORTS,
    ex::push_lock::EXPORTS,
    ex::rundown::EXPORTS,
    ex::spin_lock::EXPORTS,
    io::cancel::EXPORTS,
    io::complete::EXPORTS,
    io::csq::EXPORTS,
    io::device::EXPORTS,
    io::dispatch::EXPORTS,
    io::interface::EXPORTS,
    io::irp::EXPORTS,
    ke::bugcheck::EXPORTS,
    ke::critical_region::EXPORTS,
    ke::dpc::EXPORTS,
    ke::event::EXPORTS,
    ke::level::EXPORTS,
    ke::performance_counter::EXPORTS,
    ke::processor::EXPORTS,
    ke::semaphore::EXPORTS,
    ke::spin_lock::EXPORTS,
    ke::time::EXPORTS,
    ke::timer::EXPORTS,
    ke::wait::EXPORTS,
    ke::xstate::EXPORTS,
    mm::mdl::EXPORTS,
    ob::EXPORTS,
    ps::object_type::EXPORTS,
    ps::process::EXPORTS,
    ps::thread::EXPORTS,
    rtl::debug_print::EXPORTS,
    rtl::string::EXPORTS,
    rtl::version::EXPORTS,
    se::access::EXPORTS,
    ndis::life::EXPORTS,
    ndis::set_attributes::EXPORTS,
    ndis::configuration::EXPORTS,
    ndis::device::EXPORTS,
    ndis::driver::EXPORTS,
    ndis::error_log::EXPORTS,
    ndis::fdo::EXPORTS,
    ndis::nbl_pool::EXPORTS,
    ndis::net_buffer::EXPORTS,
    ndis::oid::EXPORTS,
    ndis::receive::EXPORTS,
    ndis::send::EXPORTS,
    ndis::status::EXPORTS,
    netio::best_route::EXPORTS,
    netio::interface_entry::EXPORTS,
    netio::notification::EXPORTS,
    netio::tables::EXPORTS,
    wsk::registration::EXPORTS,
    runtime::EXPORTS,
];

/// The address of an export. Module names are not case-sensitive.
pub(super) fn find(module: &str, name: &str) -> Option<usize> {
    ALL.iter()
        .filter(|exports| exports.module.eq_ignore_ascii_case(module))
        .flat_map(|exports| exports.exports)
        .find(|export| export.name == name)
        .map(|export| export.address.expose_provenance())
}
