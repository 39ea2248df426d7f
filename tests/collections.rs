//! WDFCOLLECTION: what is in it, and what it keeps alive.

mod common;

use common::workbench::{Workbench, named};
use vbus::wdf::*;

/// A collection, and objects of these names in it.
fn collection(bench: &mut Workbench, names: &[&'static str]) -> (Collection, Vec<Object>) {
    bench.run(|m, driver, _| {
        let collection = Collection::create(m, driver, named("collection")).unwrap();
        let items: Vec<Object> = names.iter().map(|&name| create_object(m, driver, named(name)).unwrap()).collect();
        for &item in &items {
            collection.add(m, item);
        }
        (collection, items)
    })
}

#[test]
fn items_are_found_by_index_oldest_first_and_beyond_the_last_there_is_none() {
    let mut bench = Workbench::new();
    let (collection, items) = collection(&mut bench, &["a", "b", "c"]);
    bench.run(|m, _, _| {
        assert_eq!(collection.count(m), 3);
        assert_eq!(
            [0, 1, 2, 3].map(|index| collection.item(m, index)),
            [Some(items[0]), Some(items[1]), Some(items[2]), None]
        );
        collection.remove_at(m, 0);
        assert_eq!((collection.first(m), collection.last(m)), (Some(items[1]), Some(items[2])));
        collection.remove(m, items[2]);
        assert_eq!((collection.first(m), collection.last(m)), (Some(items[1]), Some(items[1])));
        collection.remove(m, items[1]);
        assert_eq!((collection.first(m), collection.count(m)), (None, 0));
    });
}

#[test]
fn a_collection_holds_a_reference_for_every_entry() {
    let mut bench = Workbench::new();
    let (collection, items) = collection(&mut bench, &["a"]);
    bench.run(|m, _, _| {
        collection.add(m, items[0]);
        items[0].delete(m);
    });
    assert_eq!(bench.notes(), ["cleanup of a"]);
    bench.run(|m, _, _| {
        collection.remove(m, items[0]);
        assert_eq!(collection.first(m), Some(items[0]), "it was in there twice");
    });
    assert!(bench.notes().is_empty());
    bench.run(|m, _, _| collection.delete(m));
    assert_eq!(bench.notes(), ["cleanup of collection", "destroy of collection", "destroy of a"]);
}

#[test]
fn a_collection_takes_any_object_and_even_itself_which_keeps_it_for_good() {
    let mut bench = Workbench::new();
    let (collection, _) = collection(&mut bench, &[]);
    bench.run(|m, driver, device| {
        let memory = Memory::create(m, driver, 8, Attributes::none()).unwrap();
        let Memory::Own(memory) = memory else { unreachable!("it was created") };
        for item in [device.object(), memory, collection.object()] {
            collection.add(m, item);
        }
        collection.delete(m);
        assert_eq!(collection.count(m), 3);
    });
    assert_eq!(bench.notes(), ["cleanup of collection"]);
}

#[test]
fn taking_out_what_is_not_there_is_an_error_in_the_log_and_a_break_under_the_verifier() {
    for verified in [false, true] {
        let mut bench = if verified { Workbench::verified() } else { Workbench::new() };
        let (collection, items) = collection(&mut bench, &["a"]);
        let log = bench.log_of(|m, driver, _| {
            let other = create_object(m, driver, Attributes::none()).unwrap();
            collection.remove(m, other);
            collection.remove_at(m, 1);
            assert_eq!(collection.first(m), Some(items[0]));
        });
        let errors: Vec<&str> = log.lines().filter(|line| line.contains("STATUS_NOT_FOUND")).collect();
        assert_eq!(errors.len(), 2, "{log}");
        assert!(errors[1].starts_with("Index 1 is not valid in WDFCOLLECTION"), "{log}");
        assert!(errors[1].contains("(count is 1)"), "{log}");
        assert_eq!(bench.breaks(), if verified { 2 } else { 0 });
    }
}
