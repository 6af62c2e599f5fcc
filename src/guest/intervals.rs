//! A set of regions that may overlap, nest and repeat, and that answers in O(log n) whether a region meets any of them.
//!
//! A balanced search tree (AVL) over the first bytes, in which each node also knows how far the regions below it
//! reach. That bounds every operation by the tree's height, at most 1.44 log2 n, whatever regions a guest
//! asks for and in whatever order: no number of nested, long or equal ones makes it longer, and there is no random
//! choice to second-guess. Nodes lie in a `Vec` and keep their place for as long as they are in the set, so the place
//! serves as the handle; a serial number, never used twice, tells one tenant of a place from the next.

use super::Region;

/// The link that leads nowhere.
const NONE: u32 = u32::MAX;

/// A set of regions.
#[derive(Debug)]
pub(super) struct IntervalSet {
    nodes: Vec<Node>,
    root: u32,
    /// The first place that is free; the places' `left` links lead to the next ones.
    free: u32,
    len: u32,
}

#[derive(Debug)]
struct Node {
    /// The first byte.
    first: u64,
    /// The last byte.
    last: u64,
    /// The greatest `last` of this node and all below it.
    reach: u64,
    /// 0 while the place is free.
    serial: u64,
    left: u32,
    right: u32,
    /// Of the tree below, this node included; 0 for an empty region, which has a place but is not in the tree.
    height: u32,
}

impl IntervalSet {
    /// The empty set.
    pub(super) const fn new() -> IntervalSet {
        IntervalSet { nodes: Vec::new(), root: NONE, free: NONE, len: 0 }
    }

    /// How many regions there are, empty ones included.
    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// Whether some byte of `region` is in a region of the set.
    pub(super) fn meets(&self, region: Region) -> bool {
        let Some(last) = region.last() else { return false };
        let mut at = self.root;
        while at != NONE {
            let node = self.node(at);
            if node.first <= last && region.start <= node.last {
                return true;
            }
            // If something on the left reaches as far as the region, then either that very one meets it, or it starts
            // behind the region, and so does all that is not on the left.
            let left_reaches = node.left != NONE && self.node(node.left).reach >= region.start;
            at = if left_reaches { node.left } else { node.right };
        }
        false
    }

    /// Adds `region` under `serial`, which is not 0, and gives its place. Places are below the largest number of
    /// regions that the set ever had.
    pub(super) fn insert(&mut self, region: Region, serial: u64) -> u32 {
        let last = region.last();
        let height = u32::from(last.is_some());
        let (first, last) = (region.start, last.unwrap_or(region.start));
        let node = Node { first, last, reach: last, serial, left: NONE, right: NONE, height };
        let place = if self.free == NONE {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).expect("the tracker's limit is a u32")
        } else {
            let place = self.free;
            self.free = self.node(place).left;
            *self.node_mut(place) = node;
            place
        };
        self.len += 1;
        if height != 0 {
            self.root = self.link(self.root, place);
        }
        place
    }

    /// Takes out the region that was added under `serial` and got `place`, and tells whether there was one.
    pub(super) fn remove(&mut self, place: u32, serial: u64) -> bool {
        match self.nodes.get(place as usize) {
            Some(node) if node.serial == serial && serial != 0 => {
                if node.height != 0 {
                    self.root = self.unlink(self.root, place);
                }
            }
            _ => return false,
        }
        let free = self.free;
        let node = self.node_mut(place);
        node.serial = 0;
        node.left = free;
        self.free = place;
        self.len -= 1;
        true
    }

    fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    fn node_mut(&mut self, at: u32) -> &mut Node {
        &mut self.nodes[at as usize]
    }

    /// What the tree is sorted by. The place tells equal regions apart.
    fn key(&self, at: u32) -> (u64, u32) {
        (self.node(at).first, at)
    }

    fn height(&self, at: u32) -> u32 {
        if at == NONE { 0 } else { self.node(at).height }
    }

    /// Puts the node `new` into the tree `at` and gives its new root.
    fn link(&mut self, at: u32, new: u32) -> u32 {
        if at == NONE {
            return new;
        }
        if self.key(new) < self.key(at) {
            self.node_mut(at).left = self.link(self.node(at).left, new);
        } else {
            self.node_mut(at).right = self.link(self.node(at).right, new);
        }
        self.rebalance(at)
    }

    /// Takes the node `old` out of the tree `at`, which has it, and gives the tree's new root.
    fn unlink(&mut self, at: u32, old: u32) -> u32 {
        if at == old {
            let &Node { left, right, .. } = self.node(at);
            if right == NONE {
                return left;
            }
            let (first, rest) = self.unlink_first(right);
            let node = self.node_mut(first);
            node.left = left;
            node.right = rest;
            return self.rebalance(first);
        }
        if self.key(old) < self.key(at) {
            self.node_mut(at).left = self.unlink(self.node(at).left, old);
        } else {
            self.node_mut(at).right = self.unlink(self.node(at).right, old);
        }
        self.rebalance(at)
    }

    /// Takes the first node out of the tree `at`, and gives that node and the rest's root.
    fn unlink_first(&mut self, at: u32) -> (u32, u32) {
        let &Node { left, right, .. } = self.node(at);
        if left == NONE {
            return (at, right);
        }
        let (first, rest) = self.unlink_first(left);
        self.node_mut(at).left = rest;
        (first, self.rebalance(at))
    }

    /// Restores the node `at`, below which one insertion or removal took place, and gives the root of its tree.
    fn rebalance(&mut self, at: u32) -> u32 {
        let &Node { left, right, .. } = self.node(at);
        let (left_height, right_height) = (self.height(left), self.height(right));
        if left_height > right_height + 1 {
            let &Node { left: outer, right: inner, .. } = self.node(left);
            if self.height(inner) > self.height(outer) {
                self.node_mut(at).left = self.rotate_left(left);
            }
            self.rotate_right(at)
        } else if right_height > left_height + 1 {
            let &Node { left: inner, right: outer, .. } = self.node(right);
            if self.height(inner) > self.height(outer) {
                self.node_mut(at).right = self.rotate_right(right);
            }
            self.rotate_left(at)
        } else {
            self.refresh(at);
            at
        }
    }

    /// Makes the left child of `at` the root of its tree.
    fn rotate_right(&mut self, at: u32) -> u32 {
        let root = self.node(at).left;
        self.node_mut(at).left = self.node(root).right;
        self.node_mut(root).right = at;
        self.refresh(at);
        self.refresh(root);
        root
    }

    /// Makes the right child of `at` the root of its tree.
    fn rotate_left(&mut self, at: u32) -> u32 {
        let root = self.node(at).right;
        self.node_mut(at).right = self.node(root).left;
        self.node_mut(root).left = at;
        self.refresh(at);
        self.refresh(root);
        root
    }

    /// Works out anew what the node `at` knows of the tree below it.
    fn refresh(&mut self, at: u32) {
        let &Node { left, right, last, .. } = self.node(at);
        let mut reach = last;
        for child in [left, right] {
            if child != NONE {
                reach = reach.max(self.node(child).reach);
            }
        }
        let height = 1 + self.height(left).max(self.height(right));
        let node = self.node_mut(at);
        node.reach = reach;
        node.height = height;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl IntervalSet {
        /// Checks everything that a tree promises, and gives its height.
        fn check(&self) -> u32 {
            let mut in_order = Vec::new();
            let height = self.check_below(self.root, &mut in_order);
            assert!(in_order.is_sorted());
            let linked = self.nodes.iter().filter(|node| node.serial != 0 && node.height != 0).count();
            assert_eq!(in_order.len(), linked);
            let taken = self.nodes.iter().filter(|node| node.serial != 0).count();
            assert_eq!(taken, self.len() as usize);
            height
        }

        fn check_below(&self, at: u32, in_order: &mut Vec<(u64, u32)>) -> u32 {
            if at == NONE {
                return 0;
            }
            let node = self.node(at);
            let left = self.check_below(node.left, in_order);
            in_order.push(self.key(at));
            let right = self.check_below(node.right, in_order);
            let reach_of = |child: u32| if child == NONE { 0 } else { self.node(child).reach };
            assert!(left.abs_diff(right) <= 1, "a tree leans");
            assert_eq!(node.height, 1 + left.max(right));
            assert_eq!(node.reach, node.last.max(reach_of(node.left)).max(reach_of(node.right)));
            node.height
        }
    }

    /// The orders in which a guest might try to spoil a tree: `COUNT` regions each.
    fn hostile_orders() -> Vec<Vec<Region>> {
        const COUNT: u64 = 2_000;
        let each = |region: fn(u64) -> Region| (0..COUNT).map(region).collect::<Vec<_>>();
        vec![
            each(|i| Region::new(i * 4, 4)),
            each(|i| Region::new((COUNT - i) * 4, 4)),
            // All the same.
            each(|_| Region::new(77, 5)),
            // Nested, from the outside and from the inside.
            each(|i| Region::new(i, 2 * (COUNT - i))),
            each(|i| Region::new(COUNT - i, 2 * i + 1)),
            // Long ones with the same start.
            each(|i| Region::new(0, i + 1)),
            // From both ends in turn.
            each(|i| Region::new(if i % 2 == 0 { i } else { 2 * COUNT - i }, 1)),
            // To the end of the address space and beyond.
            each(|i| Region::new(u64::MAX - i, u64::MAX)),
            // Empty ones.
            each(|i| Region::new(i, 0)),
        ]
    }

    #[test]
    fn no_order_of_insertion_and_removal_makes_the_tree_high() {
        for regions in hostile_orders() {
            for take_out_from_front in [true, false] {
                let mut set = IntervalSet::new();
                let mut places: Vec<_> =
                    (1..).zip(&regions).map(|(serial, &r)| (set.insert(r, serial), serial)).collect();
                // 1.44 log2 2,000 = 15.8
                assert!(set.check() <= 15);
                if take_out_from_front {
                    places.reverse();
                }
                while let Some((place, serial)) = places.pop() {
                    assert!(set.remove(place, serial));
                    if places.len() % 100 == 0 {
                        set.check();
                    }
                }
                assert_eq!((set.len(), set.root), (0, NONE));
            }
        }
    }

    #[test]
    fn places_are_used_again_and_serials_tell_their_tenants_apart() {
        let mut set = IntervalSet::new();
        let place = set.insert(Region::new(0, 1), 1);
        assert!(!set.remove(place, 2) && !set.remove(place, 0) && !set.remove(place + 1, 1) && !set.remove(NONE, 0));
        assert!(set.remove(place, 1));
        assert!(!set.remove(place, 1) && !set.remove(place, 0));
        assert_eq!(set.insert(Region::new(8, 1), 2), place);
        assert!(!set.remove(place, 1));
        assert!(set.meets(Region::new(0, 9)) && !set.meets(Region::new(0, 8)));
        assert_eq!(set.check(), 1);
    }

    #[test]
    fn a_long_region_is_found_behind_many_short_ones() {
        let mut set = IntervalSet::new();
        for i in 0..1_000 {
            set.insert(Region::new(10 + 10 * i, 1), i + 1);
        }
        assert!(!set.meets(Region::new(5_001, 9)));
        let long = set.insert(Region::new(0, 20_000), 5_000);
        assert!(set.meets(Region::new(5_001, 9)) && set.meets(Region::new(19_999, 1)));
        assert!(!set.meets(Region::new(20_000, 1)));
        assert!(set.remove(long, 5_000));
        assert!(!set.meets(Region::new(5_001, 9)));
    }
}
