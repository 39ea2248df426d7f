//! Who looks in vain does not look the next times; who finds something does.

use std::cell::Cell;

use vbus_ifd::patience::Patience;

/// How often it is looked for something that comes after so many looks, and whether it is found.
fn looks(patience: &mut Patience, comes_after: u32) -> (bool, u32) {
    let count = Cell::new(0);
    let found = patience.look(|| {
        count.set(count.get() + 1);
        count.get() > comes_after
    });
    (found, count.get())
}

#[test]
fn after_looking_in_vain_it_is_looked_once_for_twice_as_many_times() {
    let mut patience = Patience::default();
    for rests in [1, 2, 4, 8, 16, 32, 64, 64] {
        let (found, count) = looks(&mut patience, u32::MAX);
        assert!(!found && count > 1, "{count} looks");
        for _ in 0..rests {
            assert_eq!(looks(&mut patience, u32::MAX), (false, 1));
        }
    }
    // What is there is seen all the same, and finding something at the second look is no vain look.
    assert_eq!(looks(&mut patience, 0), (true, 1));
    assert_eq!(looks(&mut patience, 1), (true, 2));
    assert!(looks(&mut patience, u32::MAX).1 > 1);
    assert_eq!(looks(&mut patience, u32::MAX), (false, 1));
    assert!(looks(&mut patience, u32::MAX).1 > 1, "it rests for one time again");
}
