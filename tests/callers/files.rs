//! Creates, cleanups and closes, with files that the framework knows or does not.

use std::fmt::Write;

use vbus::wdm::Major;

use crate::bench::{Files, Plan, Sent};

#[test]
fn what_comes_with_a_file_depends_on_what_the_driver_says_of_files() {
    let mut page = String::new();
    for files in [Files::Nothing, Files::Objects, Files::Callbacks] {
        for filter in [false, true] {
            writeln!(page, "{files:?}, {}", if filter { "filter" } else { "function driver" }).unwrap();
            for file in [true, false] {
                for major in [Major::Create, Major::Cleanup, Major::Close] {
                    let what = major.name().trim_start_matches("IRP_MJ_");
                    let with = if file { "a file" } else { "no file" };
                    let line = Plan { files, filter, ..Plan::default() }.open().send(Sent { file, ..Sent::of(major) });
                    writeln!(page, "  {:<20} {line}", format!("{what}, {with}")).unwrap();
                }
            }
        }
    }
    approve!("callers_files", page);
}
