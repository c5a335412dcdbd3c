//! Sorting in place, with no recursion and no panic.

/// Sorts a slice by a key, by heapsort. Equal elements may change places.
pub fn sort_by_key<T, K: Ord>(slice: &mut [T], key: impl Fn(&T) -> K) {
    let length = slice.len();
    for root in (0..length / 2).rev() {
        sift_down(slice, root, &key);
    }
    for end in (1..length).rev() {
        swap(slice, 0, end);
        if let Some(heap) = slice.get_mut(..end) {
            sift_down(heap, 0, &key);
        }
    }
}

/// Moves the element at `root` down to where both below it are not greater.
fn sift_down<T, K: Ord>(heap: &mut [T], mut root: usize, key: &impl Fn(&T) -> K) {
    loop {
        let left = root.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let Some(left_key) = heap.get(left).map(key) else { return };
        let (child, child_key) = match heap.get(right).map(key) {
            Some(right_key) if right_key > left_key => (right, right_key),
            _ => (left, left_key),
        };
        if heap.get(root).is_none_or(|root| key(root) >= child_key) {
            return;
        }
        swap(heap, root, child);
        root = child;
    }
}

fn swap<T>(slice: &mut [T], one: usize, other: usize) {
    if let Ok([one, other]) = slice.get_disjoint_mut([one, other]) {
        core::mem::swap(one, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_sorted() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for length in 0..200 {
            let mut numbers = [0_u64; 200];
            for number in &mut numbers[..length] {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                *number = random % 64;
            }
            let numbers = &mut numbers[..length];
            let sum: u64 = numbers.iter().sum();
            sort_by_key(numbers, |number| !*number);
            assert!(numbers.is_sorted_by(|one, other| one >= other));
            assert_eq!(numbers.iter().sum::<u64>(), sum);
        }
    }
}
