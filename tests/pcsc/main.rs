//! Readers of `vbus serve`, used by programs that know nothing of it: pcscd, and what people use with it.
//!
//! `tests/pcsc/setup` installs them. Without them, or where another pcscd runs, this says so and passes. As root everything
//! runs in a mount namespace of its own, beside whatever else is on the machine.

mod clients;
mod lives;
mod remote;
mod world;

use std::env;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};

/// What is tested, in order.
const TESTS: &[(&str, fn())] = &[
    ("readers_are_listed_with_and_without_cards", clients::readers_are_listed_with_and_without_cards),
    ("the_atr_is_the_cards", clients::the_atr_is_the_cards),
    ("opensc_reads_a_file_by_its_commands", clients::opensc_reads_a_file_by_its_commands),
    ("scriptor_selects_and_reads_and_resets", clients::scriptor_selects_and_reads_and_resets),
    ("a_pin_is_verified_blocked_and_unblocked_and_is_in_no_log", clients::a_pin_is_verified_blocked_and_unblocked),
    ("apdus_may_be_short_and_extended", clients::apdus_may_be_short_and_extended),
    ("a_card_with_t0_announces_what_is_to_be_fetched", clients::a_card_with_t0_announces_what_is_to_be_fetched),
    ("attributes_and_features_are_answered", clients::attributes_and_features_are_answered),
    ("scdaemon_finds_no_application_on_the_card", clients::scdaemon_finds_no_application_on_the_card),
    ("two_clients_share_and_exclude_each_other", clients::two_clients_share_and_exclude_each_other),
    ("a_card_pulled_out_ends_a_transaction", lives::a_card_pulled_out_ends_a_transaction),
    ("cards_that_come_and_go_are_seen_at_once", lives::cards_that_come_and_go_are_seen_at_once),
    (
        "a_card_exchanged_faster_than_anybody_looks_is_noticed",
        lives::a_card_exchanged_faster_than_anybody_looks_is_noticed,
    ),
    ("a_child_that_is_not_plugged_in_is_a_reader_without_a_card", lives::an_unplugged_child_has_no_card),
    ("a_scenario_is_played_in_real_time", lives::a_scenario_is_played_in_real_time),
    ("a_thousand_sessions_leave_nothing_behind", lives::a_thousand_sessions_leave_nothing_behind),
    ("both_signals_end_it_cleanly_and_it_can_come_back", lives::both_signals_end_it_cleanly),
    ("a_pin_counter_survives_a_restart", lives::a_pin_counter_survives_a_restart),
    ("viccs_card_is_in_our_reader", remote::viccs_card_is_in_our_reader),
    ("a_remote_card_that_is_stuck_holds_up_nobody_else", remote::a_remote_card_that_is_stuck_holds_up_nobody_else),
    ("emulators_come_over_the_network_where_that_is_allowed", remote::emulators_come_over_the_network_where_allowed),
    ("our_card_is_in_debians_vpcd_and_answers_without_a_stall", remote::our_card_is_in_debians_vpcd),
];

/// Set in the mount namespace.
const INSIDE: &str = "VBUS_PCSC_NAMESPACE";

fn main() -> ExitCode {
    if let Some(why) = world::missing() {
        println!("skipped: {why}; tests/pcsc/setup installs everything (as root, on Debian)");
        println!("test result: ok. 0 passed; 0 failed; {} ignored", TESTS.len());
        return ExitCode::SUCCESS;
    }
    if env::var_os(INSIDE).is_none()
        && Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|s| s.success())
    {
        let error = inside_a_namespace().exec();
        println!("cannot run this in a namespace: {error}");
        return ExitCode::FAILURE;
    }
    if world::another_pcscd_runs() {
        println!("skipped: a pcscd runs already, and a machine has one; end it, or run this as root");
        println!("test result: ok. 0 passed; 0 failed; {} ignored", TESTS.len());
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in TESTS.iter().filter(|(name, _)| is_wanted(name)) {
        // A panic has told what is wrong; everything that the test started ends as it unwinds.
        let ok = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        if ok { passed += 1 } else { failed += 1 }
    }
    println!("test result: {}. {passed} passed; {failed} failed", if failed == 0 { "ok" } else { "FAILED" });
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// This program again, where nobody else sees what is mounted: pcscd's socket has one place, which is then its own.
fn inside_a_namespace() -> Command {
    let script = "mkdir -p /run/pcscd && mount -t tmpfs none /run/pcscd && exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).args(env::args_os()).env(INSIDE, "1");
    command
}
