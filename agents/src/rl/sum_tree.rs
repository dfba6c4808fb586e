//! Numbers that can be drawn in proportion to their size.

/// Non-negative weights in a binary tree of sums: changing one and drawing one take the logarithm of their number.
#[derive(Clone, Debug, PartialEq)]
pub struct SumTree {
    leaves: usize,
    /// Node 1 is the root, node `i` has children `2 i` and `2 i + 1`; leaves begin at `leaves`.
    nodes: Vec<f64>,
}

impl SumTree {
    /// So many weights of 0.
    pub fn new(count: usize) -> Self {
        let leaves = count.max(1).next_power_of_two();
        Self { leaves, nodes: vec![0.0; 2 * leaves] }
    }

    /// Changes a weight.
    pub fn set(&mut self, index: usize, weight: f64) {
        let mut node = self.leaves + index;
        self.nodes[node] = weight;
        while node > 1 {
            node /= 2;
            // The sum of both children anew, not a difference added: rounding errors do not pile up.
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1];
        }
    }

    /// A weight.
    pub fn get(&self, index: usize) -> f64 {
        self.nodes[self.leaves + index]
    }

    /// All of them together.
    pub fn total(&self) -> f64 {
        self.nodes[1]
    }

    /// Where `position`, from 0 up to the total, falls when the weights lie end to end. Never on a weight of 0 if any is not.
    pub fn find(&self, mut position: f64) -> usize {
        let mut node = 1;
        while node < self.leaves {
            let left = self.nodes[2 * node];
            if position < left || self.nodes[2 * node + 1] == 0.0 {
                node *= 2;
            } else {
                position -= left;
                node = 2 * node + 1;
            }
        }
        node - self.leaves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_proportional_to_the_weights() {
        let weights = [0.0, 1.0, 0.0, 2.5, 0.5, 0.0];
        let mut tree = SumTree::new(weights.len());
        weights.iter().enumerate().for_each(|(index, weight)| tree.set(index, *weight));
        assert_eq!(tree.total(), 4.0);
        let mut counts = [0; 6];
        for step in 0..4_000 {
            counts[tree.find(f64::from(step) / 1_000.0)] += 1;
        }
        assert_eq!(counts, [0, 1_000, 0, 2_500, 500, 0]);
        // The very end, which rounding may reach.
        assert_eq!(tree.find(4.0), 4);
        tree.set(3, 0.0);
        assert_eq!(tree.total(), 1.5);
        assert_eq!(tree.find(1.2), 4);
    }
}
