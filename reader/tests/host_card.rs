//! A card in the host's own reader. What can be tested on any machine is that its absence is told.

#![cfg(feature = "host-card")]

use std::time::Duration;

use vbus_reader::card::outside::host::{HostCard, HostError, readers};

#[test]
fn a_reader_that_is_not_there_is_named_with_those_that_are() {
    let error = HostCard::open("no such reader", Duration::from_secs(1)).err().expect("there is none of this name");
    match (&error, readers()) {
        (HostError::NoSuchReader { wanted, found }, Ok(known)) => {
            assert_eq!((wanted.as_str(), found), ("no such reader", &known));
        }
        (HostError::Service(_), Err(HostError::Service(_))) => {
            assert!(error.to_string().contains("is its service (pcscd) running?"), "{error}");
        }
        (error, known) => panic!("{error}, but {known:?}"),
    }
}
