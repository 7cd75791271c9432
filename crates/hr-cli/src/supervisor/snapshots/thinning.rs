//! Which of too many checkpoints is missed least. Pure.

use std::time::Duration;

use hr_forkserver::protocol::SnapshotId;

/// A checkpoint of a line of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) id: SnapshotId,
    /// How long it had taken to come there.
    pub(super) at: Duration,
    /// Whether it waits before a file that was edited lately.
    pub(super) is_edited: bool,
}

/// The index of the one without which the longest way between two of the others is as short as can be; `kept` is in the
/// order in which the program comes by. What waits before an edited file goes last of all, and so does the newest, behind
/// which nothing is known yet.
pub(super) fn least_useful(kept: &[Kept]) -> Option<usize> {
    let cost = |index: usize| {
        let before = if index == 0 { Duration::ZERO } else { kept[index - 1].at };
        let after = kept.get(index + 1).map_or(Duration::MAX, |next| next.at.saturating_sub(before));
        (kept[index].is_edited, after)
    };
    (0..kept.len()).min_by_key(|index| cost(*index))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(times: &[u64], edited: &[u64]) -> Vec<Kept> {
        let kept = |(id, at): (u64, &u64)| Kept {
            id: SnapshotId(id),
            at: Duration::from_millis(*at),
            is_edited: edited.contains(at),
        };
        (0..).zip(times).map(kept).collect()
    }

    #[test]
    fn those_that_lie_close_go_first_and_those_before_edited_files_last() {
        assert_eq!(least_useful(&line(&[100, 110, 200, 300], &[])), Some(1));
        assert_eq!(least_useful(&line(&[10, 110, 210, 310], &[])), Some(0));
        assert_eq!(least_useful(&line(&[100, 200, 210, 300], &[210])), Some(1));
        assert_eq!(least_useful(&line(&[100], &[])), Some(0));
        assert_eq!(least_useful(&[]), None);
    }

    proptest! {
        /// However many there were, what is left lies evenly: no way is longer than it must be, but for a factor.
        #[test]
        fn what_is_left_lies_evenly(mut gaps in prop::collection::vec(1..100u64, 20..60)) {
            let mut at = 0;
            for gap in &mut gaps {
                at += *gap;
                *gap = at;
            }
            let mut kept = line(&gaps, &[]);
            while kept.len() > 10 {
                let index = least_useful(&kept).unwrap();
                prop_assert!(index + 1 < kept.len(), "the newest stays");
                kept.remove(index);
            }
            let starts = std::iter::once(Duration::ZERO).chain(kept.iter().map(|kept| kept.at));
            let longest = starts.zip(&kept).map(|(before, kept)| kept.at.saturating_sub(before)).max().unwrap();
            prop_assert!(longest <= Duration::from_millis(at) / 10 * 3 + Duration::from_millis(100));
        }
    }
}
