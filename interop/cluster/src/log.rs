//! What a room has said, as its clients have seen it: they must agree.

use std::cell::{Cell, RefCell};
use std::str::FromStr;

/// The id of a message: milliseconds and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(u64, u64);

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (one, other) = text.split_once('-').ok_or(())?;
        Ok(Self(one.parse().map_err(drop)?, other.parse().map_err(drop)?))
    }
}

/// The messages of a room. The first client that sees one adds it; each other must see it at the
/// same place.
#[derive(Default)]
pub(crate) struct Log {
    ids: RefCell<Vec<Id>>,
    /// How many messages were added so far.
    pub(crate) total: Cell<usize>,
}

/// A client's place in the log.
#[derive(Default)]
pub(crate) struct Place(Option<usize>);

impl Log {
    /// A client sees a message.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn see(&self, place: &mut Place, id: Id) -> Result<(), String> {
        let mut ids = self.ids.borrow_mut();
        let at = place.0.unwrap_or_else(|| ids.partition_point(|known| *known < id));
        match ids.get(at) {
            Some(known) if *known == id => {}
            Some(known) if *known < id => return Err(format!("lost {known:?}, got {id:?}")),
            Some(known) => return Err(format!("{id:?} for the second time, or before {known:?}")),
            None if ids.last().is_none_or(|last| *last < id) => {
                ids.push(id);
                self.total.set(ids.len());
            }
            None => return Err(format!("{id:?} for the second time, or out of order")),
        }
        place.0 = Some(at + 1);
        Ok(())
    }

    /// How many messages the client lacks.
    pub(crate) fn lacks(&self, place: &Place) -> usize {
        self.ids.borrow().len() - place.0.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(log: &Log, place: &mut Place, ids: &[&str]) -> Vec<bool> {
        ids.iter().map(|id| log.see(place, id.parse().unwrap()).is_ok()).collect()
    }

    #[test]
    fn all_see_the_same_once_and_in_order() {
        let log = Log::default();
        let mut places = [const { Place(None) }; 4];
        assert_eq!(see(&log, &mut places[0], &["1-0", "1-1", "9-0", "10-0"]), [true; 4]);
        assert_eq!(see(&log, &mut places[1], &["1-1", "9-0", "10-0", "11-0"]), [true; 4]);
        assert_eq!((log.lacks(&places[0]), log.lacks(&places[1])), (1, 0));
        assert_eq!(log.lacks(&places[3]), 5);
        let doubled = ["1-0", "1-1", "1-1"];
        assert_eq!(see(&log, &mut places[2], &doubled), [true, true, false]);
        let hole = ["1-0", "9-0"];
        assert_eq!(see(&log, &mut places[3], &hole), [true, false]);
        assert_eq!(see(&log, &mut places[0], &["11-0", "10-0"]), [true, false]);
        assert_eq!(see(&log, &mut places[1], &["11-0"]), [false]);
    }
}
